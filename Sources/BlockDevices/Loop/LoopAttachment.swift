internal import CShims
internal import SystemCalls
public import SystemPackage

extension LoopDevice {
    static let attachment = "attach a loop device to"
    private static let logicalBlockSize: UInt32 = 512

    /// How a file is attached.
    public struct AttachmentOptions: Hashable, Sendable {
        /// The device refuses writes, and the file is only opened for reading.
        public var isReadOnly: Bool
        /// Reads and writes the file past the page cache, which would otherwise hold everything twice.
        ///
        /// A file system that cannot do so, tmpfs for example, is used through the page cache all the same. So is one on a
        /// disk whose blocks are larger than the device's 512 bytes.
        public var prefersDirectIO: Bool

        /// Makes options: for writing, and with direct I/O where it is possible, if nothing else is said.
        public init(isReadOnly: Bool = false, prefersDirectIO: Bool = true) {
            self.isReadOnly = isReadOnly
            self.prefersDirectIO = prefersDirectIO
        }
    }

    /// The kernel's two ways to attach a file.
    package enum Interface: Sendable {
        /// `LOOP_CONFIGURE`, from Linux 5.8 on: all at once.
        ///
        /// Where the kernel does not know it, the other way.
        case configure
        /// `LOOP_SET_FD`, `LOOP_SET_STATUS64` and `LOOP_SET_DIRECT_IO`, one after the other.
        case setDescriptor
    }

    /// Attaches a file to a free loop device.
    ///
    /// The file stays attached as long as anything uses the device, this object included. The device has logical blocks
    /// of 512 bytes; what the file has beyond a whole number of sectors is not part of it.
    ///
    /// The corresponding ioctl is `LOOP_CONFIGURE`.
    ///
    /// - Parameters:
    ///   - path: A regular file of its full size. Holes in it cost nothing.
    ///   - options: How it is attached.
    /// - Throws: ``BlockDeviceError`` with the code `notFound`, `unsuitableFile`, `alreadyAttached` (a file that is
    ///   attached for writing, or that should be, is attached only once), `noLoopDevices`, or another one.
    public static func attach(
        _ path: FilePath, options: AttachmentOptions = AttachmentOptions()
    ) throws(BlockDeviceError) -> LoopDevice {
        try attach(path, options: options, interface: .configure)
    }

    /// Attaches a file in the way that is asked for.
    package static func attach(
        _ path: FilePath, options: AttachmentOptions, interface: Interface
    ) throws(BlockDeviceError) -> LoopDevice {
        let file = try BackingFile.open(path, isReadOnly: options.isReadOnly)
        var options = options
        options.prefersDirectIO = options.prefersDirectIO && file.takesDirectIO(inBlocksOf: Int(logicalBlockSize))
        // Other programs attach files without taking the lock.
        if !options.isReadOnly, let other = try attached(to: file.status).first {
            throw BlockDeviceError(
                .alreadyAttached, attachment, path,
                detail: "\(other.path) has it attached; once that is unused, “losetup --detach \(other.path)” frees it")
        }
        let control = try LoopControl()
        // The kernel does not reserve the free device. Another process may take it first, any number of times.
        for attempt in 1...128 {
            let index = try control.freeIndex()
            if let device = try claim(index, for: file, options, interface) { return device }
            pause(for: .milliseconds(Int.random(in: 0...min(attempt, 20))))
        }
        throw BlockDeviceError(
            .noLoopDevices, attachment, path, errno: .resourceBusy,
            detail: "each free loop device was taken by another process first")
    }

    /// Attaches `file` to the loop device with this index; `nil` when another process was quicker.
    private static func claim(
        _ index: Int, for file: borrowing BackingFile, _ options: AttachmentOptions, _ interface: Interface
    ) throws(BlockDeviceError) -> LoopDevice? {
        let loop: LoopDevice
        do {
            let number = try SysfsBlock.number(in: SysfsBlock.disks.appending("loop\(index)"))
            loop = try LoopDevice(number: number, options.isReadOnly ? .readOnly : .readWrite)
        } catch let error as BlockDeviceError where error.code != .notFound {
            throw error
        } catch {
            // It has been removed meanwhile.
            return nil
        }
        let held = try loop.device.holdDescriptor(attachment)
        let failure = withExtendedLifetime(held) {
            bind(file, to: $0.descriptor.rawValue, options, interface)
        }
        guard let failure else { return loop }
        if failure == .resourceBusy { return nil }
        throw BlockDeviceError(attachment, file.path, failure, detail: "\(loop.path) did not take it")
    }

    private static func bind(
        _ file: borrowing BackingFile, to loop: CInt, _ options: AttachmentOptions, _ interface: Interface
    ) -> Errno? {
        var configuration = loop_config()
        configuration.fd = UInt32(file.descriptor.rawValue)
        var flags = UInt32(LO_FLAGS_AUTOCLEAR)
        if options.isReadOnly { flags |= UInt32(LO_FLAGS_READ_ONLY) }
        configuration.info.lo_flags = flags
        unsafe file.path.withPlatformString { path in
            unsafe withUnsafeMutableBytes(of: &configuration.info.lo_file_name) { name in
                // The last byte stays 0.
                let length = unsafe min(strlen(path), name.count - 1)
                unsafe name.copyMemory(from: UnsafeRawBufferPointer(start: path, count: length))
            }
        }
        if interface == .configure {
            var whole = configuration
            if options.prefersDirectIO { whole.info.lo_flags |= UInt32(LO_FLAGS_DIRECT_IO) }
            // Without a size, Linux 6.14 and later give a device with direct I/O the blocks of the disk below. On a disk
            // with blocks of 4096 bytes, a file system with sectors of 512 bytes could then not be mounted any more.
            whole.block_size = logicalBlockSize
            let failure = Errno(result: unsafe dmshim_ioctl_pointer(loop, UInt(LOOP_CONFIGURE), &whole))
            switch failure {
            // LOOP_CONFIGURE of Linux 5.10 takes discards or not, as the last file of the device left it. Only the status,
            // given again, decides it for this file.
            case nil: return setStatusOrDetach(&configuration.info, of: loop)
            case .invalidArgument, .inappropriateIOCTLForDevice, .noFunction: break
            default: return failure
            }
        }
        if let failure = Errno(result: dmshim_ioctl_value(loop, UInt(LOOP_SET_FD), UInt(file.descriptor.rawValue))) {
            return failure
        }
        if let failure = setStatusOrDetach(&configuration.info, of: loop) { return failure }
        if options.prefersDirectIO {
            // EINVAL means that the file does not take it.
            _ = dmshim_ioctl_value(loop, UInt(LOOP_SET_DIRECT_IO), 1)
        }
        return nil
    }

    private static func setStatusOrDetach(_ information: inout loop_info64, of loop: CInt) -> Errno? {
        let failure = setStatus(&information, of: loop)
        if failure != nil { _ = dmshim_ioctl_value(loop, UInt(LOOP_CLR_FD), 0) }
        return failure
    }

    /// `LOOP_SET_STATUS64` asks to be called again (EAGAIN) while the device has cached pages.
    private static func setStatus(_ information: inout loop_info64, of loop: CInt) -> Errno? {
        let result = waiting(until: .after(.seconds(1))) { () -> CInt? in
            let result = unsafe dmshim_ioctl_pointer(loop, UInt(LOOP_SET_STATUS64), &information)
            return result == EAGAIN ? nil : result
        }
        return Errno(result: result ?? EAGAIN)
    }
}

extension Errno {
    /// The error that a function of `CShims` returned; `nil` when it succeeded.
    fileprivate init?(result: CInt) {
        guard result != 0 else { return nil }
        self.init(rawValue: result)
    }
}
