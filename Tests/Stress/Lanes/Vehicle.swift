import LayerArchive
import LayerStore
import SystemPackage
import TestSupport

/// How an operation is carried out.
enum Vehicle: String {
    /// On the store that all threads of the process share, which frees the data of removed layers in the background.
    case thread
    /// On a store that the lane has opened for itself, which frees the data before it answers.
    case ownStore = "own store"
    /// By a command.
    case command
    /// By a command that is killed at some moment.
    case killed = "killed command"

    var isCommand: Bool { self == .command || self == .killed }

    static func random(using random: inout SeededRandom) -> Vehicle {
        switch Int.random(in: 0..<20, using: &random) {
        case ..<9: .thread
        case ..<13: .ownStore
        case ..<18: .command
        default: .killed
        }
    }
}

extension LayerStore {
    /// Carries an operation out.
    ///
    /// - Parameters:
    ///   - lane: The prefix of the names of the lane's layers; only these are listed.
    ///   - archive: The file that `apply` reads.
    func carryOut(_ operation: StoreOperation, lane: String, archive: FilePath) -> Outcome {
        do {
            switch operation {
            case .create(let name): try create(LayerID(name))
            case .copy(let name, let parent): try create(LayerID(name), parent: LayerID(parent))
            case .mount(let name):
                let path = try mount(LayerID(name))
                guard path == root.appending("mnt/\(name)/rootfs") else { return .unexpected("mounted at \(path)") }
            case .unmount(let name): return Outcome(try unmount(LayerID(name)))
            case .remove(let name): return Outcome(try remove(LayerID(name)))
            case .resize(let name, let size): try resize(LayerID(name), to: size)
            case .trim(let name): _ = try trim(name.map { [try LayerID($0)] })
            case .diff(let name):
                let changes = try changes(of: LayerID(name)).map(\.description)
                return .found(StoreOperation.markers(in: changes))
            case .apply(let name, _):
                let file = try FileDescriptor.open(archive, .readOnly, options: .closeOnExec)
                _ = try file.closeAfter { try apply(file, to: LayerID(name)) }
            case .check:
                let report = try LayerStore.check(root)
                guard report.isClean else { return .unexpected(report.findings.map(\.message).joined(separator: "; ")) }
            case .growPool(let size): try resizePool(data: size)
            case .list: return .found(try names(of: lane))
            case .shutdown: try shutdown()
            }
            return .done
        } catch {
            return Outcome(failure: "\(error)")
        }
    }

    private func names(of lane: String) throws -> Set<String> {
        var names: Set<String> = []
        for listing in try layers() {
            switch listing {
            case .layer(let id, _): if id.text.hasPrefix(lane) { names.insert(id.text) }
            case .damaged(let name, let reason): throw StressError("damaged: \(name): \(reason)")
            }
        }
        return names
    }
}

extension Outcome {
    fileprivate init(_ release: LayerRelease) {
        switch release {
        case .done: self = .done
        case .absent: self = .absent
        case .deferred: self = .deferred
        }
    }

    /// The outcome of a command.
    init(_ answer: CommandAgent.Answer, of operation: StoreOperation, lane: String) {
        let lines = answer.output.split(separator: "\n").map(String.init)
        switch (answer.status, operation) {
        case (137, _): self = .killed
        case (0, .list):
            self = .found(
                Set(lines.compactMap { $0.split(separator: " ").first.map(String.init) }.filter { $0.hasPrefix(lane) }))
        case (0, .diff): self = .found(StoreOperation.markers(in: lines))
        case (0, .remove) where answer.output.contains("there was no layer"): self = .absent
        case (0, .remove) where answer.output.contains("its data stays until"): self = .deferred
        case (0, .unmount) where answer.output.contains("its device stays until"): self = .deferred
        case (0, _): self = .done
        case (1, _): self = Outcome(failure: answer.output)
        default: self = .unexpected("status \(answer.status): \(answer.output)")
        }
    }
}

extension StoreOperation {
    /// The markers that changes add or modify; the lines are those of “dmlayer changes”.
    fileprivate static func markers(in lines: [String]) -> Set<String> {
        Set(
            lines.compactMap { line in
                // A layer may be older than the layer that has its parent's name now, and lack that layer's files.
                guard !line.hasPrefix("D"), let name = line.split(separator: "/").last else { return nil }
                return name.hasPrefix(MarkerFile.prefix) ? String(name) : nil
            })
    }
}
