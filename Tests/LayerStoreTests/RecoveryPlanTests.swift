import SystemPackage
import Testing
import ThinProvisioning

@testable import LayerStore

/// The plans for all combinations of facts about one thin device that can occur, and for some stores in full.
struct RecoveryPlanTests {
    /// The thin device that each case is about.
    ///
    /// The layer `image` always has the number 1, and the base device 0.
    static let number = thinDevice(40)
    static let image = thinDevice(1)

    /// The facts that are combined.
    struct Case: CustomStringConvertible {
        enum File: CaseIterable { case none, layer, markedByDocker, damaged }
        enum Removal: CaseIterable { case none, understood, damaged }
        enum Mapped: CaseIterable { case none, running, suspended, goingAway }
        enum Transaction: CaseIterable { case none, ofTheLayer, ofAnother }

        var file: File
        var removal: Removal
        var isReserved: Bool
        var isInMaking: Bool
        var isInPool: Bool
        var mapped: Mapped
        var transaction: Transaction
        var isPoolRead: Bool
        var ownsPool: Bool
        var isBusy: Bool

        var description: String {
            "file \(file), removal \(removal), reserved \(isReserved), in making \(isInMaking), "
                + "in the pool \(isInPool), mapped \(mapped), "
                + "transaction \(transaction), pool read \(isPoolRead), own pool \(ownsPool), busy \(isBusy)"
        }

        var facts: Inventory {
            var facts = Inventory()
            facts.records["base"] = RecoveryPlanTests.record(0, isInitialized: true)
            facts.records["image"] = RecoveryPlanTests.record(1)
            switch file {
            case .none: break
            case .layer: facts.records["layer"] = RecoveryPlanTests.record(40)
            case .markedByDocker: facts.records["layer"] = RecoveryPlanTests.record(40, isDeleted: true)
            case .damaged: facts.damaged["layer"] = "it is damaged"
            }
            if removal != .none { facts.removals = [number] }
            if removal == .understood { facts.understoodRemovals = [number] }
            if isReserved { facts.reserved = Set((33..<65).compactMap { ThinDeviceID($0) }) }
            if isInMaking { facts.inMaking = [number] }
            if isPoolRead { facts.thinDevices = Set([thinDevice(0), image] + (isInPool ? [number] : [])) }
            if mapped != .none {
                facts.mappedDevices = [
                    .init(
                        name: "docker-8:1-7-layer", number: number, isSuspended: mapped == .suspended,
                        isRemovalDeferred: mapped == .goingAway)
                ]
            }
            facts.poolTransactionID = 5
            switch transaction {
            case .none: break
            case .ofTheLayer: facts.transaction = DockerTransaction(openTransactionID: 6, layer: "layer", deviceID: 40)
            case .ofAnother: facts.transaction = DockerTransaction(openTransactionID: 6, layer: "other", deviceID: 40)
            }
            (facts.ownsPool, facts.isPoolMadeElsewhere, facts.isBusy) = (ownsPool, !ownsPool, isBusy)
            return facts
        }
    }

    static func record(_ number: Int, isInitialized: Bool = false, isDeleted: Bool = false) -> LayerRecord {
        LayerRecord(
            deviceID: thinDevice(number), size: 1 << 30, transactionID: 0, isInitialized: isInitialized,
            isDeleted: isDeleted, parent: nil, created: nil)
    }

    /// The pool's part of a case: whether it was read and has the device, and who uses it.
    private static let pools: [(isInPool: Bool, isPoolRead: Bool, ownsPool: Bool, isBusy: Bool)] =
        [(true, true), (false, true), (false, false)].flatMap { isInPool, isPoolRead in
            [(true, false), (true, true), (false, false)].map { (isInPool, isPoolRead, $0, $1) }
        }

    /// Whether the number is reserved, and whether the marks tell that a layer is made with it.
    private static let numbers: [(isReserved: Bool, isInMaking: Bool)] = [(true, false), (true, true), (false, false)]

    static let cases: [Case] = {
        var cases: [Case] = []
        for file in Case.File.allCases {
            for removal in Case.Removal.allCases {
                for mapped in Case.Mapped.allCases {
                    for transaction in Case.Transaction.allCases {
                        for (number, pool) in numbers.flatMap({ one in pools.map { (one, $0) } }) {
                            cases.append(
                                Case(
                                    file: file, removal: removal, isReserved: number.isReserved,
                                    isInMaking: number.isInMaking, isInPool: pool.isInPool, mapped: mapped,
                                    transaction: transaction, isPoolRead: pool.isPoolRead, ownsPool: pool.ownsPool,
                                    isBusy: pool.isBusy))
                        }
                    }
                }
            }
        }
        return cases
    }()

    /// The facts and the plan of each case.
    static let plans = cases.map { one in
        let facts = one.facts
        return (one: one, facts: facts, plan: RecoveryPlan(facts))
    }

    /// Records an issue for a case: an expectation for each of thousands would take most of the time.
    private func require(_ isRight: Bool, _ one: Case, _ location: SourceLocation = #_sourceLocation) {
        if !isRight { Issue.record("\(one)", sourceLocation: location) }
    }

    /// The thin devices that the steps of a standing delete from the pool.
    private func deletions(_ plan: RecoveryPlan, _ standing: RecoveryPlan.Standing) -> Set<ThinDeviceID> {
        Set(
            plan.steps(for: standing).compactMap { step in
                switch step.action {
                case .delete(let number): number
                case .endTransaction(let number, _): number
                default: nil
                }
            })
    }

    @Test func hasThousandsOfCases() { #expect(Self.cases.count == 3888) }

    @Test func deletesNothingThatARecordSpeaksFor() {
        for (one, facts, plan) in Self.plans {
            for standing in [RecoveryPlan.Standing.recovery, .repair] {
                let deleted = deletions(plan, standing)
                // Docker's own transaction takes the layer along that it was making.
                let claimed = facts.registered.subtracting(one.transaction == .ofTheLayer ? [Self.number] : [])
                require(deleted.isDisjoint(with: claimed), one)
                require(one.transaction != .ofAnother || one.file != .layer || !deleted.contains(Self.number), one)
            }
        }
    }

    @Test func deletesNothingWhileAFileOrThePoolCannotBeRead() {
        for (one, _, plan) in Self.plans where one.file == .damaged || !one.isPoolRead {
            require(deletions(plan, .repair).isEmpty, one)
            require(plan.keepsReservations, one)
        }
    }

    @Test func deletesExactlyWhatAnInterruptedCreationLeft() {
        for (one, _, plan) in Self.plans where one.transaction == .none {
            let isLeft =
                one.file == .none && one.removal == .none && one.isReserved && one.isInPool && one.isPoolRead
                && !one.isBusy
            // In a pool that other programs use, the number may have been taken by one of them.
            let isOurs = one.ownsPool || one.isInMaking
            require(deletions(plan, .recovery) == (isLeft && isOurs ? [Self.number] : []), one)
            let ordered = plan.steps.contains { $0.standing == .order && $0.action == .delete(Self.number) }
            require(!one.isReserved || ordered == (isLeft && !isOurs), one)
        }
    }

    @Test func leavesAnOrphanToARepairInThePoolOfTheStoreOnly() {
        for (one, _, plan) in Self.plans where one.transaction == .none && !one.isReserved {
            let isOrphan = one.file == .none && one.removal == .none && one.isInPool && one.isPoolRead
            require(deletions(plan, .recovery).isEmpty, one)
            require(deletions(plan, .repair) == (isOrphan && one.ownsPool ? [Self.number] : []), one)
            let ordered = plan.steps.contains { $0.standing == .order && $0.action == .delete(Self.number) }
            require(ordered == (isOrphan && !one.ownsPool), one)
        }
    }

    /// A mounted layer whose file is damaged has a mapped device that no record speaks for.
    @Test func leavesEveryMappedDeviceThatCouldBeALayers() {
        for (one, _, plan) in Self.plans where one.mapped != .none {
            let removed = plan.steps(for: .repair).contains { step in
                if case .removeMapped = step.action { true } else { false }
            }
            let isLayers = one.file == .layer || one.file == .markedByDocker
            let isUnknown =
                (one.file == .damaged || !one.isPoolRead || !one.isReserved) && one.removal == .none
            require(!(removed && (isLayers || isUnknown || one.isBusy || one.mapped == .goingAway)), one)
            require(removed || isLayers || isUnknown || one.isBusy || one.mapped == .goingAway, one)
        }
    }

    @Test func resumesWhatIsSuspendedInEveryCase() {
        for (one, _, plan) in Self.plans {
            let resumes = plan.steps(for: .recovery).contains { step in
                if case .resume = step.action { true } else { false }
            }
            require(resumes == (one.mapped == .suspended), one)
        }
    }

    /// Check announces the steps of the recovery, and repair takes them; its further steps are announced as repairable.
    @Test func agreesWithItsThreeReaders() {
        for (one, facts, plan) in Self.plans {
            let (recovery, repair) = (plan.steps(for: .recovery), plan.steps(for: .repair))
            require(recovery.allSatisfy(repair.contains), one)
            let findings = announced(facts)
            for step in plan.steps {
                guard case .delete(let number) = step.action else { continue }
                let finding = findings.first { $0.subject == "\(number)" }
                require(finding?.isRepairable == (step.standing <= .repair), one)
                require(finding?.kind == (step.reason == .orphan ? .orphanDevice : .unfinished), one)
            }
            let known = Set(
                plan.steps.compactMap { step in
                    if case .delete(let number) = step.action { "\(number)" } else { nil }
                })
            for finding in findings where [.orphanDevice, .unfinished].contains(finding.kind) {
                require(known.contains(finding.subject), one)
            }
        }
    }

    private func announced(_ facts: Inventory) -> [StoreFinding] {
        guard let directory = try? StoreDirectory(opening: "/") else { return [] }
        var examination = DeviceExamination(directory, facts, PoolView(), nil)
        examination.run([:])
        return examination.findings.all
    }

    @Test func beginsWithABlockInWhichNothingHasANumber() {
        for (one, facts, plan) in Self.plans {
            let first = plan.nextBlock
            let used = facts.registered.union(facts.removals).union(facts.thinDevices ?? [])
            require(used.allSatisfy { first.distance(to: $0) >= 32 }, one)
        }
        var facts = Inventory()
        facts.records["base"] = Self.record(0, isInitialized: true)
        facts.thinDevices = Set((0..<10_000).compactMap { ThinDeviceID($0 % 3 == 0 ? $0 : $0 / 2) })
        #expect(RecoveryPlan(facts).nextBlock == ThinDeviceID(10_000))
        // The other program of the pool counts from 1 on, and the store far behind it.
        facts.firstNumber = ThinDeviceID(1 << 23)
        #expect(RecoveryPlan(facts).nextBlock == ThinDeviceID(1 << 23))
        facts.thinDevices?.formUnion([1 << 23, 1 << 23 + 1].compactMap { ThinDeviceID($0) })
        #expect(RecoveryPlan(facts).nextBlock == ThinDeviceID(1 << 23 + 2))
        facts.records["one"] = Self.record(1 << 23 + 50)
        #expect(RecoveryPlan(facts).nextBlock == ThinDeviceID(1 << 23 + 51))
    }

    @Test func changesNothingInAPoolThatTakesNoChanges() {
        for (one, facts, _) in Self.plans {
            var facts = facts
            facts.takesChanges = false
            for step in RecoveryPlan(facts).steps(for: .order) {
                guard case .resume = step.action else {
                    Issue.record("\(step) in \(one)")
                    return
                }
            }
        }
    }

    @Test func endsDockersTransactionAsDockerWould() {
        var facts = Inventory()
        facts.records = ["base": Self.record(0, isInitialized: true), "layer": Self.record(40)]
        facts.thinDevices = [thinDevice(0), Self.number]
        facts.poolTransactionID = 5
        facts.transaction = DockerTransaction(openTransactionID: 6, layer: "layer", deviceID: 40)
        #expect(
            RecoveryPlan(facts).steps(for: .recovery).map(\.action)
                == [.endTransaction(deleting: Self.number, removing: "layer")])
        facts.records["other"] = Self.record(40)
        #expect(
            RecoveryPlan(facts).steps(for: .recovery).map(\.action)
                == [.endTransaction(deleting: nil, removing: "layer")])
        facts.transaction = DockerTransaction(openTransactionID: 6, layer: "", deviceID: 0)
        // A base device with a file system stays, and so does everything where the pool has reached the transaction.
        #expect(
            RecoveryPlan(facts).steps(for: .recovery).map(\.action) == [.endTransaction(deleting: nil, removing: nil)])
        facts.poolTransactionID = 6
        #expect(RecoveryPlan(facts).steps.isEmpty)
    }
}

private func thinDevice(_ number: Int) -> ThinDeviceID { ThinDeviceID(number) ?? .maximum }
