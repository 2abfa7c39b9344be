import Glibc
import SystemPackage

/// The arguments of `scripts/powercut`.
struct RunOptions {
    enum Workload: String {
        case layers
        case directLVM = "direct-lvm"
        case images

        /// Whether it works until its kernel is killed, and the next run goes on where it was; the others come to an end.
        var hasNoEnd: Bool { self == .layers }
    }

    static let usage = """
        usage: scripts/powercut [--workload layers|direct-lvm|images] [--root ext4|xfs] [--seed NUMBER]
                                [--kernel VERSION] [--cpus N] [--keep DIR] [COUNT]
               scripts/powercut --again DIR

        Cuts the power COUNT times (default 25) and verifies what is left on a fresh kernel each time.

          --workload NAME   layers: a store on loop files at work (default); direct-lvm: the setup of a volume group and everything
                            that extends it, with real lvm2 as the judge; images: imports and removals of images
          --root TYPE       the file system that the root of the layers' store is on (default ext4)
          --seed NUMBER     the seed of the random numbers; the time if not given
          --kernel VERSION  the sandbox's kernel (default 6.1)
          --cpus N          the work is done on N processors, on a disk whose cache is lost; the judges work on one
          --keep DIR        where a failure is kept (default powercut-failure)
          --again DIR       makes and verifies the cuts of a failure once more
        """

    /// A call that is not understood.
    struct UsageError: Error {
        let message: String
    }

    var workload = Workload.layers
    var root = "ext4"
    var seed = UInt64(time(nil))
    var kernel = "6.1"
    /// How many processors the work is done on, in QEMU; `nil` is User-Mode Linux.
    var processors: Int?
    var keep: FilePath = "powercut-failure"
    var again: FilePath?
    var count = 25
    var asksForHelp = false

    init(_ arguments: [String]) throws(UsageError) {
        var rest = arguments[...]
        while let word = rest.popFirst() {
            switch word {
            case "--help", "-h":
                asksForHelp = true
                return
            case "--workload", "--root", "--seed", "--kernel", "--cpus", "--keep", "--again":
                guard let value = rest.popFirst() else {
                    throw UsageError(message: "powercut: \(word) wants a value")
                }
                try set(word, to: value)
            default:
                guard let first = word.first, ("1"..."9").contains(first) else {
                    throw UsageError(message: Self.usage)
                }
                count = try Self.number(word)
            }
        }
        guard workload == .layers || root == "ext4" else {
            throw UsageError(message: "powercut: --root is for the workload layers")
        }
    }

    private mutating func set(_ option: String, to value: String) throws(UsageError) {
        switch option {
        case "--workload":
            guard let known = Workload(rawValue: value) else {
                throw UsageError(message: "powercut: there is no workload \(value)")
            }
            workload = known
        case "--root":
            guard ["ext4", "xfs"].contains(value) else {
                throw UsageError(message: "powercut: the root cannot be on \(value)")
            }
            root = value
        case "--seed": seed = UInt64(try Self.number(value))
        case "--kernel": kernel = value
        case "--cpus": processors = try Self.number(value)
        case "--keep": keep = FilePath(value)
        default: again = FilePath(value)
        }
    }

    private static func number(_ text: String) throws(UsageError) -> Int {
        guard let number = Int(text), number >= 0 else { throw UsageError(message: "powercut: wants numbers") }
        return number
    }
}
