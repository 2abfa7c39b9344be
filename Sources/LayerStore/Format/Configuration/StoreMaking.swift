/// The things that an unfinished `init` may have made.
///
/// `store.json` has this before `init` makes any of them, and until the base device is complete. When an `init` fails, it
/// takes away exactly these things. When it is killed, the next `init` does.
struct StoreMaking: Hashable, Sendable, Codable {
    /// The names of the pool's files that did not exist before, in the directory of the loop files.
    var files: [String] = []
    /// The block devices of the pool, which were empty before.
    var devices: [String] = []
    /// Whether the volume group did not exist before.
    var isVolumeGroupNew = false
    /// Whether the pool of `dm.thinpooldev` was active before.
    var wasPoolActive = false
    /// Whether the layers of another program are being taken over; `nil` is false.
    ///
    /// Then nothing is made but the files in the root, and only the call that began it can go on.
    var isAdoption: Bool?

    enum CodingKeys: String, CodingKey {
        case files
        case devices
        case isVolumeGroupNew = "is_volume_group_new"
        case wasPoolActive = "was_pool_active"
        case isAdoption = "is_adoption"
    }
}
