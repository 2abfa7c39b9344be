internal import DeviceMapper

/// The devices and the devices that they stand on, as `ls --tree` draws them.
struct DMSetupTree {
    static let options: Set<String> = [
        "active", "ascii", "blkdevname", "compact", "device", "inverted", "nodevice", "notrunc", "open", "rw", "utf",
        "uuid",
        "vt100",
    ]

    /// The strokes of a drawing.
    private struct Strokes {
        let goesOn: String
        let branch: String
        let last: String
        let firstOfMany: String
        let only: String

        static let ascii = Strokes(goesOn: " | ", branch: " |-", last: " `-", firstOfMany: "-+-", only: "---")
        static let utf = Strokes(goesOn: " │ ", branch: " ├─", last: " └─", firstOfMany: "─┬─", only: "───")
        static let vt100 = Strokes(
            goesOn: " \u{1b}(0\u{f}x\u{1b}(B ", branch: " \u{1b}(0\u{f}tq\u{1b}(B", last: " \u{1b}(0\u{f}mq\u{1b}(B",
            firstOfMany: "\u{1b}(0\u{f}qwq\u{1b}(B", only: "\u{1b}(0\u{f}qqq\u{1b}(B")
    }

    private let chosen: Set<Substring>
    private let strokes: Strokes
    private let session: DMSetupSession
    private var information: [DeviceNumber: DeviceInformation] = [:]
    private var below: [DeviceNumber: [DeviceNumber]] = [:]
    private var above: [DeviceNumber: [DeviceNumber]] = [:]
    /// The devices in the order in which they were found, and those on which nothing else stands.
    private var leaves: [DeviceNumber] = []
    private var line = ""
    /// The columns of a line; where standard output is a terminal, those of the terminal.
    private let width = 80
    private var widths: [Int] = []
    private var more: [Bool] = []

    init(_ options: String, _ session: DMSetupSession) {
        let words = options.split(separator: ",")
        chosen = Set(words)
        self.session = session
        let form = words.last { ["ascii", "utf", "vt100"].contains($0) }
        strokes = form == "vt100" ? .vt100 : form == "utf" || form == nil && Self.hasUTF8 ? .utf : .ascii
    }

    /// Whether the locale has the strokes of UTF-8.
    private static var hasUTF8: Bool {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].lazy.compactMap { DMSetupEnvironment.value($0) }
            .first { !$0.isEmpty }
        return ["utf-8", "utf8"].contains { locale?.lowercased().hasSuffix($0) ?? false }
    }

    private var showsNumber: Bool { !chosen.contains("nodevice") }
    private var showsKernelName: Bool { chosen.contains("blkdevname") }
    /// Facts about devices are shown on lines of their own.
    private var isCompact: Bool {
        chosen.contains("compact") && chosen.isDisjoint(with: ["active", "open", "rw", "uuid"])
    }

    mutating func print(_ devices: [DMSetupDevice]) throws(DMSetupFailed) {
        for device in devices {
            if let number = device.number { try add(number) }
        }
        let all = devices.compactMap(\.number)
        let isInverted = chosen.contains("inverted")
        let roots = isInverted ? leaves : all.filter { above[$0, default: []].isEmpty }
        for (index, root) in roots.enumerated() {
            draw(root, isInverted ? above : below, depth: 0, isFirst: index == 0, isLast: index == roots.count - 1)
        }
    }

    /// Takes a device and everything that it stands on.
    private mutating func add(_ number: DeviceNumber) throws(DMSetupFailed) {
        guard below[number] == nil else { return }
        below[number] = []
        guard let state = try session.information(on: DMSetupDevice(number: number)) else {
            leaves.append(number)
            return
        }
        information[number] = state
        let device = DMSetupDevice(number: number)
        let devices = try session.send("deps", device) { control throws(DeviceMapperError) in
            try control.dependencies(of: .number(number))
        }
        if devices.isEmpty { leaves.append(number) }
        for lower in devices {
            try add(lower)
            below[number, default: []].append(lower)
            above[lower, default: []].append(number)
        }
    }

    /// Whether a device has a line: without numbers, a device without a name has nothing to show.
    private func isShown(_ number: DeviceNumber) -> Bool {
        information[number] != nil || showsNumber || showsKernelName
    }

    private mutating func draw(
        _ number: DeviceNumber, _ links: [DeviceNumber: [DeviceNumber]], depth: Int, isFirst: Bool, isLast: Bool
    ) {
        let children = links[number, default: []]
        let isShown = isShown(number)
        more = Array(more.prefix(depth)) + [!isLast]
        widths = Array(widths.prefix(depth)) + [0]
        if depth > 0, isShown {
            if isCompact, isFirst {
                write(isLast ? strokes.only : strokes.firstOfMany)
            } else {
                for level in 0..<depth - 1 {
                    write(String(repeating: " ", count: widths[level]) + (more[level + 1] ? strokes.goesOn : "   "))
                }
                write(String(repeating: " ", count: widths[depth - 1]) + (isLast ? strokes.last : strokes.branch))
            }
        }
        if isShown {
            let text = label(number)
            write(text)
            if isCompact { widths[depth] = text.utf8.count }
            if !isCompact || !children.contains(where: { self.isShown($0) }) { endLine() }
        }
        for (index, child) in children.enumerated() {
            draw(child, links, depth: depth + 1, isFirst: index == 0, isLast: index == children.count - 1)
        }
    }

    /// The name, the numbers and the state of a device.
    private func label(_ number: DeviceNumber) -> String {
        let kernelName = information[number].map { "\($0.name)" } ?? ""
        // A name that cannot be shown otherwise is shown as the kernel has it.
        var text = (try? session.shown(kernelName, "name")) ?? kernelName
        if showsKernelName, let name = BlockName.kernel(number) { text += " <\(name)>" }
        if showsNumber { text += " (\(number))" }
        guard let state = information[number] else { return text }
        var facts: [String] = []
        if chosen.contains("active") { facts.append(state.isSuspended ? "SUSPENDED" : "ACTIVE") }
        if chosen.contains("rw") { facts.append(state.isReadOnly ? "RO" : "RW") }
        if chosen.contains("open") { facts.append("\(state.openCount)") }
        if chosen.contains("uuid") { facts.append(state.uuid.map { "\($0)" } ?? "") }
        return facts.isEmpty ? text : "\(text) [\(facts.joined(separator: ", "))]"
    }

    private mutating func write(_ text: String) { line += text }

    private mutating func endLine() {
        let isCut = line.unicodeScalars.count > width && !chosen.contains("notrunc")
        session.print(
            isCut
                ? line.unicodeScalars.prefix(width - 1).reduce(into: "") { $0.unicodeScalars.append($1) } + "..." : line
        )
        line = ""
    }
}
