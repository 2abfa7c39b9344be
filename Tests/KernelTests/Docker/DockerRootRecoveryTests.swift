import TestSupport
import Testing

/// Roots that Docker left in the middle of something.
@Suite(.serialized) struct DockerRootRecoveryTests {
    private let fixture: DockerRootFixture
    private let next = DockerRootFixture.transactionID + 1
    private let mappedBlocks: [String]
    private let fresh = DockerRootFixture.freshDeviceID

    init() throws {
        fixture = try DockerRootFixture(hasContent: false)
        mappedBlocks = try fixture.mappedBlocks()
    }

    /// Opens the root, and takes it down again.
    private func open() throws {
        try fixture.run("info")
        try fixture.shutDown()
    }

    /// Checks that a root holds all of Docker's devices but `gone`, and is in order.
    private func expectIntact(without gone: [Int] = [], _ location: SourceLocation = #_sourceLocation) throws {
        let expected = [1, 2, 5, 8, 11, 19, 22, 24, 27, 40, 41, 42, 43].filter { !gone.contains($0) }
        #expect(try fixture.registeredDevices() == expected, sourceLocation: location)
        #expect(try fixture.thinDevices() == expected, sourceLocation: location)
        let blocks = mappedBlocks.filter { line in !gone.contains { line.hasPrefix("\($0) ") } }
        #expect(try fixture.mappedBlocks() == blocks, sourceLocation: location)
    }

    @Test(arguments: [false, true]) func rollsBackACreation(isRegistered: Bool) throws {
        try fixture.sendPool("create_snap \(fresh) 41")
        try fixture.writeTransaction(open: next, layer: "interrupted", device: fresh)
        if isRegistered { try fixture.writeRecord("interrupted", device: fresh) }
        try open()
        #expect(try Shell.runForStatus("test -e '\(fixture.metadata)/transaction-metadata'").status == 1)
        try expectIntact()
    }

    @Test func rollsBackACreationThatHadNotReachedThePool() throws {
        try fixture.writeTransaction(open: next, layer: "interrupted", device: fresh)
        try open()
        try expectIntact()
    }

    @Test(arguments: [false, true]) func completesARemoval(isDeleted: Bool) throws {
        try fixture.writeTransaction(open: next, layer: DockerRootFixture.leaf, device: 41)
        if isDeleted { try fixture.sendPool("delete 41") }
        try open()
        #expect(try fixture.runForStatus("inspect \(DockerRootFixture.leaf)").status == 1)
        try expectIntact(without: [41])
    }

    /// Docker makes the base device in a transaction, and its file system after that: one with a file system is complete.
    @Test func keepsABaseDeviceWithAFileSystem() throws {
        try fixture.writeTransaction(open: next, layer: "", device: 1)
        try open()
        try expectIntact()
        try fixture.run("create ours")
    }

    @Test(arguments: ["junk", "", "[]", "{}", #"{"open_transaction_id":77,"device_hash":"x","device_id":-1}"#])
    func passesOverATransactionThatMeansNothing(text: String) throws {
        try Shell.run("printf %s '\(text)' > '\(fixture.metadata)/transaction-metadata'")
        try open()
        try expectIntact()
    }

    @Test(arguments: [DockerRootFixture.transactionID, DockerRootFixture.transactionID - 1, 0])
    func passesOverATransactionThatThePoolHasReached(open number: Int) throws {
        try fixture.writeTransaction(open: number, layer: DockerRootFixture.leaf, device: 41)
        try open()
        try expectIntact()
    }

    @Test(arguments: ["../x", "..", "deviceset-metadata", "../metadata/base"])
    func removesNoOtherFileThanALayers(name: String) throws {
        try Shell.run("echo precious > '\(fixture.root)/x'")
        let set = try Shell.run("cat '\(fixture.metadata)/deviceset-metadata'")
        try fixture.sendPool("create_snap \(fresh) 41")
        try fixture.writeTransaction(open: next, layer: name, device: fresh)
        try open()
        #expect(try Shell.run("cat '\(fixture.root)/x'") == "precious")
        #expect(try Shell.run("cat '\(fixture.metadata)/deviceset-metadata'") == set)
        try expectIntact()
    }

    @Test func deletesNoDeviceOfAnotherLayer() throws {
        try fixture.writeTransaction(open: next, layer: "interrupted", device: 41)
        try open()
        try expectIntact()
        // Nor the layer of the same name whose device is another one.
        try fixture.writeTransaction(open: next, layer: DockerRootFixture.image, device: 41)
        try open()
        try expectIntact()
    }

    @Test func deletesNothingThatADamagedRecordMayBeAbout() throws {
        try Shell.run("printf '{' > '\(fixture.metadata)/damaged'")
        try fixture.sendPool("create_snap \(fresh) 41")
        try fixture.writeTransaction(open: next, layer: "interrupted", device: fresh)
        try open()
        #expect(try fixture.thinDevices().contains(fresh))
        // It is done when the damage has been mended.
        try Shell.run("rm '\(fixture.metadata)/damaged'")
        try open()
        try expectIntact()
    }

    @Test func endsDeferredDeletions() throws {
        try fixture.sendPool("create_snap \(fresh) 41")
        try fixture.writeRecord("deleted", device: fresh, isDeleted: true)
        // The second one has gone from the pool already.
        try fixture.writeRecord("deleted-before", device: fresh + 1, isDeleted: true)
        #expect(try fixture.runForStatus("mount deleted").status == 1)
        try open()
        #expect(try !fixture.run("list").contains("deleted"))
        try expectIntact()
    }

    /// Docker takes over a pool that it finds active under the right name; its devices have no uuid.
    @Test func waitsForADeletedDeviceThatDockerHasInUse() throws {
        try fixture.run("info")
        let pool = try fixture.devicePrefix() + "pool"
        try Shell.run("dmsetup message '\(pool)' 0 'create_snap \(fresh) 41'")
        try fixture.writeRecord("deleted", device: fresh, isDeleted: true)
        let device = try fixture.devicePrefix() + "deleted"
        try Shell.run(
            """
            dmsetup create '\(device)' --table "0 2097152 thin $(dmsetup info --columns --noheadings \
                --separator : --options major,minor '\(pool)') \(fresh)"
            """)
        defer { _ = try? Shell.run("dmsetup remove '\(device)'") }
        // The mark of a process that died makes the next operation recover.
        try Shell.run(": > '\(fixture.root)/lock'")
        try fixture.run("create probe")
        try fixture.run("remove probe")
        #expect(try !fixture.run("list").contains("deleted"))
        try Shell.run("dmsetup remove '\(device)'")
        try fixture.shutDown()
        try open()
        try expectIntact()
    }
}
