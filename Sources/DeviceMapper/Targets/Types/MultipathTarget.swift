/// Reaches one device by several paths.
///
/// The kernel's `dm-service-time.rst` and `dm-queue-length.rst` describe its selectors.
public struct MultipathTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "multipath"

    /// A path, and the words that the selector takes for it.
    public struct Path: Hashable, Sendable {
        /// The device.
        public var device: TargetDevice
        /// The selector's words for the path, such as how many requests it gets at a time.
        public var arguments: [String]

        /// Makes a path.
        public init(device: TargetDevice, arguments: [String] = []) {
            self.device = device
            self.arguments = arguments
        }
    }

    /// Paths that are used together.
    public struct PriorityGroup: Hashable, Sendable {
        /// The selector that chooses the path of a request, such as `service-time`.
        public var selector: String
        /// The selector's words for the group.
        public var selectorArguments: [String]
        /// The paths, each with as many words for the selector as the others.
        public var paths: [Path]

        /// Makes a group.
        public init(selector: String, selectorArguments: [String] = [], paths: [Path]) {
            self.selector = selector
            self.selectorArguments = selectorArguments
            self.paths = paths
        }

        init?(_ words: inout TargetWords) {
            guard let selector = words.next(), let arguments = words.countedWords(), let count = words.number(),
                let argumentCount = words.number(), count <= UInt64(words.count)
            else { return nil }
            self.init(selector: selector, selectorArguments: arguments, paths: [])
            for _ in 0..<count {
                guard let device = words.device(), let arguments = words.words(argumentCount) else { return nil }
                paths.append(Path(device: device, arguments: arguments))
            }
        }

        var parameters: String {
            let head =
                "\(TargetWords.escaped(selector)) \(TargetWords.counted(selectorArguments)) "
                + "\(paths.count) \(paths.first?.arguments.count ?? 0)"
            let tail = paths.flatMap { ["\($0.device)"] + $0.arguments.map(TargetWords.escaped) }
            return ([head] + tail).joined(separator: " ")
        }
    }

    /// Words such as `queue_if_no_path`.
    public var features: [String]
    /// The handler of the hardware and its words; none is the usual case.
    public var hardwareHandler: [String]
    /// The group that is used first, from 1.
    public var initialGroup: UInt64
    /// The groups, the best first.
    public var groups: [PriorityGroup]

    /// Makes a target.
    public init(
        features: [String] = [], hardwareHandler: [String] = [], initialGroup: UInt64 = 1, groups: [PriorityGroup]
    ) {
        self.features = features
        self.hardwareHandler = hardwareHandler
        self.initialGroup = initialGroup
        self.groups = groups
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let features = words.countedWords(), let handler = words.countedWords(), let count = words.number(),
            let initial = words.number(), count <= UInt64(words.count)
        else { return nil }
        self.init(features: features, hardwareHandler: handler, initialGroup: initial, groups: [])
        for _ in 0..<count {
            guard let group = PriorityGroup(&words) else { return nil }
            groups.append(group)
        }
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        (["\(TargetWords.counted(features)) \(TargetWords.counted(hardwareHandler)) \(groups.count) \(initialGroup)"]
            + groups.map(\.parameters)).joined(separator: " ")
    }
}
