/// The parts of an lvm2 device's name: `group-volume-layer`, in which a hyphen of a part is doubled.
struct SplitName {
    var group = ""
    var volume = ""
    var layer = ""

    init() {}

    init(_ name: String) {
        var parts: [String] = [""]
        var rest = Substring(name)
        while let character = rest.popFirst() {
            if character == "-", rest.first == "-" {
                rest.removeFirst()
                parts[parts.count - 1].append("-")
            } else if character == "-", !rest.isEmpty {
                parts.append("")
            } else {
                parts[parts.count - 1].append(character)
            }
        }
        group = parts[0]
        volume = parts.count > 1 ? parts[1] : ""
        layer = parts.count > 2 ? parts[2] : ""
    }
}

extension DMSetupSession {
    /// Prints the parts of a name.
    func splitName(_ words: [String]) throws(DMSetupFailed) {
        let subsystem = words.count > 1 ? words[1] : "LVM"
        let name = subsystem == "LVM" ? SplitName(words[0]) : SplitName()
        try report?.add(DMReportRow(name, subsystem, self), self)
    }
}
