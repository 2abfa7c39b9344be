import DeviceMapper
import SystemPackage
import TestSupport
import Testing

/// The directory of nodes, `/dev/mapper` on most machines.
@Suite struct MapperDirectoryTests {
    /// The first commands after a start can be many at once.
    ///
    /// On one processor threads seldom meet here, so scripts/test runs this on two processors as well.
    @Test func makesNodesFromManyThreadsAtOnce() throws {
        let scratch = try ScratchDirectory()
        let owner = MapperDirectory.Owner(user: 0, group: 6, mode: 0o660)
        let number = try #require(DeviceNumber(major: 253, minor: 1))
        for round in 0..<20 {
            let path = scratch.appending("\(round)")
            let results = onThreads(4) { _ in
                let control = try MapperDirectory(path).makeControlNode()
                try MapperDirectory(path).make("device", number, owner)
                let types = try (Stat(control).type, Stat(path.appending("device")).type)
                return types == (.characterSpecial, .blockSpecial)
            }
            for result in results { #expect(try result.get()) }
            #expect(try Shell.run("ls -A '\(path)'") == "control\ndevice")
        }
    }
}
