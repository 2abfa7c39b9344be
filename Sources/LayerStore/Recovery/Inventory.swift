internal import ThinProvisioning

/// The facts from which ``RecoveryPlan`` decides what is left over in a store, and what becomes of it.
///
/// They are values, so that the decision can be tested without a kernel.
struct Inventory: Hashable, Sendable {
    /// The layers and the base device by the names of their files.
    var records: [String: LayerRecord] = [:]
    /// The files that cannot be used, and why: damaged, of a newer format, or with a name that no layer has.
    var damaged: [String: String] = [:]
    /// The numbers of the thin devices of layers that are being removed, by the names of their files.
    var removals: Set<ThinDeviceID> = []
    /// Those of ``removals`` whose files can be understood.
    var understoodRemovals: Set<ThinDeviceID> = []
    /// The numbers that are reserved for new layers.
    var reserved: Set<ThinDeviceID> = []
    /// The numbers with which layers were being made when their process died, as far as the marks tell them.
    var inMaking: Set<ThinDeviceID> = []
    /// The files that interrupted writes left.
    var temporaryFiles: [String] = []
    /// Numbers that a file spoke for a moment ago: a check reads the directory before and after the pool.
    var formerClaims: Set<ThinDeviceID> = []

    /// The thin devices of the pool; `nil` where they could not be read.
    var thinDevices: Set<ThinDeviceID>?
    /// The mapped devices of the store, apart from the pool.
    var mappedDevices: [MappedDevice] = []
    /// Docker's last transaction, and the pool's transaction id; `nil` where there is none or it cannot be understood.
    var transaction: DockerTransaction?
    var poolTransactionID: UInt64?

    /// The least number that the store gives to a thin device of its own; `nil` where it is the one behind its layers.
    var firstNumber: ThinDeviceID?
    /// Whether no other program makes thin devices in the pool.
    var ownsPool = true
    /// Whether another program made the pool, and makes thin devices in it as well.
    var isPoolMadeElsewhere = false
    /// Whether the pool takes changes.
    var takesChanges = true
    /// Whether an operation may be under way, whose half-done work must not be taken for a dead one's.
    var isBusy = false
    /// Whether the base device shows that the files are about this pool.
    var isBaseRight = true

    /// A mapped device of the store.
    struct MappedDevice: Hashable, Sendable {
        /// The name of the device.
        var name: String
        /// The thin device that its uuid tells.
        var number: ThinDeviceID
        var isSuspended = false
        /// Whether the kernel removes it when it is closed for the last time.
        var isRemovalDeferred = false
    }

    /// The numbers of the layers and of the base device.
    var registered: Set<ThinDeviceID> { Set(records.values.map(\.deviceID)) }

    /// The numbers that only an interrupted creation can have left in the pool.
    ///
    /// In a pool that another program made, that program may have taken a reserved number.
    var abandoned: Set<ThinDeviceID> { isPoolMadeElsewhere ? reserved.intersection(inMaking) : reserved }

    /// Whether every file was understood and the pool's devices are known: then a number that nothing speaks for is nobody's.
    var isComplete: Bool { damaged.isEmpty && thinDevices != nil }
}
