internal import DeviceMapper
internal import SystemPackage
internal import ThinProvisioning

/// Reading the count of events of a pool.
extension PoolEventMark {
    /// The pool's count of events now.
    init(of pool: ThinPool) throws {
        boot = Self.thisBoot
        number = try pool.control.information(on: .number(pool.number)).eventNumber
    }

    /// How the pool may have lost writes since this moment; `nil` when it has not.
    func loss(in pool: ThinPool) throws -> String? {
        let now = try PoolEventMark(of: pool)
        // After an activation the count has begun again, and all of it is since then.
        let goesOn = now.boot == boot && now.number >= number
        let count = Int(goesOn ? now.number - number : now.number)
        guard count > 0 else { return nil }
        guard let events = ThinPoolEvent.last(count, of: pool.number) else {
            return
                "the pool \(pool.name) has had \(count) events since it was made, and the kernel's log does not tell any more "
                + "whether writes failed"
        }
        guard let event = events.first(where: \.losesWrites), case .mode(let mode) = event else { return nil }
        return "the pool \(pool.name) was in the mode “\(mode)” since it was made"
    }
}
