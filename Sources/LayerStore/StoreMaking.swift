/// What an `init` may have made of a store that is not complete yet.
///
/// It stands in `store.json` before anything of it is made, and until the base device is complete. So an `init` that fails,
/// and the one behind an `init` that was killed, take away exactly this.
struct StoreMaking: Hashable, Sendable, Codable {
    /// The files of the pool that were not there before, by their names in the directory of the loop files.
    var files: [String] = []
    /// The block devices of the pool, which were empty.
    var devices: [String] = []
    /// Whether there was no volume group before.
    var isVolumeGroupNew = false
    /// Whether the pool that was named was active before.
    var wasPoolActive = false

    enum CodingKeys: String, CodingKey {
        case files
        case devices
        case isVolumeGroupNew = "is_volume_group_new"
        case wasPoolActive = "was_pool_active"
    }
}
