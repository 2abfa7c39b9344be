import DeviceMapper
import ThinProvisioning

/// Prints how full a thin pool is, now and at each of its events, until the pool is removed: `PoolEvents NAME`.
@main
struct PoolEvents {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: PoolEvents NAME")
            return
        }
        let control = try Control()
        let pool = try control.information(on: .name(DeviceName(existing: CommandLine.arguments[1])))
        guard let target = try control.table(of: pool.reference).entries.first?.target.as(ThinPoolTarget.self) else {
            print("\(pool.name) is no thin pool")
            return
        }
        // The loop sees each event after this number, also those before its first round.
        try printUse(of: pool, target, control)
        for try await state in try EventWatcher().events(of: pool.reference, after: pool.eventNumber) {
            try printUse(of: state, target, control)
        }
        print("\(pool.name) is gone")
    }

    private static func printUse(of pool: DeviceInformation, _ target: ThinPoolTarget, _ control: Control) throws {
        let line = try control.status(of: pool.reference).first?.text ?? ""
        guard case .available(let state) = try ThinPoolStatus(parsing: line, blockSize: target.blockSize) else {
            print("event \(pool.eventNumber): the pool has failed")
            return
        }
        print(
            "event \(pool.eventNumber): \(state.data.free) of \(state.data.total) blocks are free, \(state.mode.rawValue)"
        )
    }
}
