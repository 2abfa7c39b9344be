internal import ArgumentParser
internal import DeviceMapper

/// The command `dm tree`.
struct DMTree: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tree",
        abstract: "Print which devices stand on which.",
        discussion: "A device that several devices stand on is printed below each of them.")

    @Flag(help: "Begin with the devices that stand on no other, and print below them the devices that use them.")
    var inverted = false

    @OptionGroup var options: OutputOptions

    func run() throws {
        let forest = try DeviceForest(Control())
        let roots = forest.roots(isInverted: inverted)
        try options.output.print(list: roots, text: roots.map(\.text))
    }
}

/// The devices, and those that they stand on.
private struct DeviceForest {
    struct Node: Encodable, DrawnNode {
        /// The name, which only a mapped device has.
        let name: String?
        let uuid: String?
        let number: String
        /// The kernel's name, such as `loop0`.
        let kernelName: String?
        let children: [Node]

        enum CodingKeys: String, CodingKey {
            case name, uuid, number, children
            case kernelName = "kernel_name"
        }

        var label: String { (name ?? kernelName).map { "\($0) (\(number))" } ?? "(\(number))" }
    }

    private var devices: [DeviceNumber: DeviceInformation] = [:]
    private var below: [DeviceNumber: [DeviceNumber]] = [:]
    private var above: [DeviceNumber: [DeviceNumber]] = [:]
    private var order: [DeviceNumber] = []

    init(_ control: Control) throws {
        let listed = try control.devices().sorted { "\($0.name)" < "\($1.name)" }
        for number in listed.map(\.number) {
            do {
                devices[number] = try control.information(on: .number(number))
                below[number] = try control.dependencies(of: .number(number))
            } catch {
                // It may have been removed since it was listed.
                guard error.code == .noSuchDevice else { throw error }
                devices[number] = nil
                continue
            }
            order.append(number)
        }
        for number in order {
            for lower in below[number] ?? [] {
                if devices[lower] == nil, !order.contains(lower) { order.append(lower) }
                above[lower, default: []].append(number)
            }
        }
    }

    func roots(isInverted: Bool) -> [Node] {
        let (up, down) = isInverted ? (below, above) : (above, below)
        return order.filter { (up[$0] ?? []).isEmpty }.map { node($0, down, on: []) }
    }

    /// - Parameter path: The devices that lead to this one. The list may have changed while it was read, so a circle is possible.
    private func node(_ number: DeviceNumber, _ links: [DeviceNumber: [DeviceNumber]], on path: [DeviceNumber]) -> Node
    {
        let path = path + [number]
        let device = devices[number]
        return Node(
            name: device?.name.description, uuid: device?.uuid?.description, number: number.description,
            kernelName: BlockName.kernel(number),
            children: (links[number] ?? []).filter { !path.contains($0) }.map { node($0, links, on: path) })
    }
}
