internal import LayerStore
internal import ThinProvisioning

/// A picture of the parts of a pool that each layer has.
struct PoolPicture {
    let map: ThinDataMap
    let columns: Int
    /// The size of a block of the pool in bytes.
    let blockSize: UInt64
    let layers: [ThinDeviceID: LayerID]
    /// The devices that have blocks of their own, the largest first.
    private let largest: [ThinDataMap.Device]

    /// The letter and the color of the largest devices.
    ///
    /// Hues a golden angle apart differ also where many are drawn.
    private static let styles: [(letter: Character, color: String)] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".enumerated().map { place, letter in
            (letter, "hsl(\(Int(Double(place) * 137.5) % 360),65%,\(place % 2 == 0 ? 45 : 60)%)")
        }

    init(map: ThinDataMap, columns: Int, blockSize: UInt64, layers: [ThinDeviceID: LayerID]) {
        (self.map, self.columns, self.blockSize, self.layers) = (map, columns, blockSize, layers)
        largest = map.devices.filter { $0.exclusive > 0 }.sorted {
            ($1.exclusive, $0.id.value) < ($0.exclusive, $1.id.value)
        }
    }

    private func size(_ blocks: UInt64) -> String { ByteSize.decimal(blocks * blockSize) }

    private func name(_ id: ThinDeviceID) -> String { layers[id]?.text ?? "thin device \(id)" }

    private var heading: String {
        let part = map.parts.first.map { UInt64($0.dataBlocks.count) } ?? 0
        return "\(size(map.dataBlocks)) in blocks of \(size(1)); each mark stands for \(size(part))"
    }

    private func summary(_ device: ThinDataMap.Device) -> String {
        "\(size(device.exclusive)) of its own, \(size(device.shared)) shared, in \(device.pieces) "
            + (device.pieces == 1 ? "piece" : "pieces")
    }

    private var freeSummary: String {
        guard map.freeRuns > 0 else { return size(0) }
        return "\(size(map.free)) in \(map.freeRuns) " + (map.freeRuns == 1 ? "run" : "runs")
            + ", the longest of \(size(map.longestFreeRun))"
    }

    /// A row of the legend.
    private struct Row {
        let character: String
        let color: String
        let name: String
        let text: String
    }

    private var legend: [Row] {
        var rows = [
            Row(character: ".", color: Self.free, name: "free", text: freeSummary),
            Row(character: "+", color: Self.common, name: "shared", text: size(map.shared)),
        ]
        for (device, style) in zip(largest, Self.styles) {
            rows.append(
                Row(
                    character: String(style.letter), color: style.color, name: name(device.id), text: summary(device)))
        }
        let rest = largest.dropFirst(Self.styles.count)
        if !rest.isEmpty {
            let own = "\(size(rest.reduce(0) { $0 + $1.exclusive })) of their own"
            rows.append(Row(character: "*", color: Self.others, name: "\(rest.count) smaller ones", text: own))
        }
        let without = map.devices.count - largest.count
        if without > 0 {
            rows.append(Row(character: "", color: "none", name: "\(without) with nothing of their own", text: ""))
        }
        return rows
    }

    // MARK: Text

    /// The picture in characters, with its legend.
    var text: String {
        var characters: [ThinDeviceID: Character] = [:]
        for (device, style) in zip(largest, Self.styles) { characters[device.id] = style.letter }
        let marks = map.parts.map { mark($0, characters) }
        var lines = [heading]
        for start in stride(from: 0, to: marks.count, by: columns) {
            lines.append(String(marks[start..<min(start + columns, marks.count)]))
        }
        let cells = legend.map { row in [row.character, row.name] + (row.text.isEmpty ? [] : [row.text]) }
        return (lines + [Columns.aligned(cells)]).joined(separator: "\n")
    }

    private func mark(_ part: ThinDataMap.Part, _ characters: [ThinDeviceID: Character]) -> Character {
        let owner = part.exclusive.max { ($0.value, $1.key.value) < ($1.value, $0.key.value) }
        if let owner, owner.value > part.shared { return characters[owner.key] ?? "*" }
        return part.shared > 0 ? "+" : "."
    }

    // MARK: SVG

    private static let cell = 12
    private static let free = "#eeeeee"
    private static let common = "#9a9a9a"
    private static let others = "#5c5c5c"

    /// The picture in SVG, with its legend.
    ///
    /// A part is filled from below as far as it is used.
    var svg: String {
        var colors: [ThinDeviceID: String] = [:]
        for (device, style) in zip(largest, Self.styles) { colors[device.id] = style.color }
        let top = 24 + (map.parts.count + columns - 1) / columns * Self.cell + 16
        let legend = legend
        let (width, height) = (columns * Self.cell + 16, top + legend.count * 18 + 8)
        var lines = [
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 \(width) \(height)\" "
                + "font-family=\"sans-serif\" font-size=\"12\">",
            "<rect width=\"\(width)\" height=\"\(height)\" fill=\"#ffffff\"/>",
            "<text x=\"8\" y=\"16\">\(heading)</text>",
        ]
        for (place, part) in map.parts.enumerated() {
            let (x, y) = (8 + place % columns * Self.cell, 24 + place / columns * Self.cell)
            lines += cells(part, x, y, colors)
        }
        for (place, row) in legend.enumerated() {
            let y = top + place * 18
            lines.append("<rect x=\"8\" y=\"\(y)\" width=\"11\" height=\"11\" fill=\"\(row.color)\"/>")
            let text = [row.name, row.text].filter { !$0.isEmpty }.joined(separator: ": ")
            lines.append("<text x=\"26\" y=\"\(y + 10)\">\(text)</text>")
        }
        return (lines + ["</svg>"]).joined(separator: "\n")
    }

    private func cells(_ part: ThinDataMap.Part, _ x: Int, _ y: Int, _ colors: [ThinDeviceID: String]) -> [String] {
        func box(_ color: String, _ y: Double, _ height: Double) -> String {
            "<rect x=\"\(x)\" y=\"\(tenths(y))\" width=\"\(Self.cell - 1)\" height=\"\(tenths(height))\" fill=\"\(color)\"/>"
        }
        let scale = Double(Self.cell - 1) / Double(part.dataBlocks.count)
        var bottom = Double(y + Self.cell - 1)
        var boxes = [box(Self.free, Double(y), Double(Self.cell - 1))]
        let owners = part.exclusive.sorted { ($1.value, $0.key.value) < ($0.value, $1.key.value) }
        let uses = [(part.shared, Self.common)] + owners.map { ($0.value, colors[$0.key] ?? Self.others) }
        for (blocks, color) in uses where blocks > 0 {
            let height = Double(blocks) * scale
            bottom -= height
            boxes.append(box(color, bottom, height))
        }
        return boxes
    }

    private func tenths(_ number: Double) -> String {
        let tenths = Int((number * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
