import Testing

@testable import ContainerdSnapshotter

/// The labels of a snapshot for a user namespace.
struct IDMappingTests {
    private func read(_ users: String?, _ groups: String?) throws(SnapshotterError) -> IDMapping? {
        var labels = ["containerd.io/snapshot/other": "x"]
        labels[IDMapping.userLabel] = users
        labels[IDMapping.groupLabel] = groups
        return try IDMapping(labels)
    }

    @Test func readsWhatContainerdWrites() throws {
        #expect(try read(nil, nil) == nil)
        #expect(try read("", "") == nil)
        let one = try #require(try read("0:100000:65536", "0:200000:65536"))
        #expect(one.mountOptions == ["uidmap=0:100000:65536", "gidmap=0:200000:65536"])
        let several = try #require(try read("0:1000:1,1:110000:65536", "0:0:4294967295"))
        #expect(several.mountOptions == ["uidmap=0:1000:1,1:110000:65536", "gidmap=0:0:4294967295"])
    }

    @Test func knowsWhoRootIs() throws {
        let one = try #require(try read("1:5:10,0:100000:65536", "0:200000:1"))
        #expect(one.isRoot(user: 100000, group: 200000))
        #expect(!one.isRoot(user: 5, group: 200000) && !one.isRoot(user: 100000, group: 0))
        let same = try #require(try read("0:0:10", "0:0:10"))
        #expect(!same.isRoot(user: 0, group: 0))
    }

    /// An option goes into a mount: nothing may pass that is more than numbers.
    @Test(arguments: [
        "x", "0", "0:1", "0:1:2:3", "0:1:0", "0:1:", ":1:2", "-1:1:2", "+0:1:2", "0:1:2,", ",", "0:1:2,suid", " 0:1:2",
        "0:1:2\n",
        "0:4294967295:2", "4294967295:0:2", "0:4294967296:1", "0:1:2:", "٠:1:2",
        Array(repeating: "0:1:2", count: 341).joined(separator: ","),
    ]) func refusesWhatIsNoMapping(text: String) throws {
        for (users, groups) in [(text, "0:1:2"), ("0:1:2", text)] {
            let error = #expect(throws: SnapshotterError.self) { try read(users, groups) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func wantsBothLabels() throws {
        for (users, groups) in [("0:1:2", nil), (nil, "0:1:2"), ("0:1:2", "")] {
            let error = #expect(throws: SnapshotterError.self) { try read(users, groups) }
            #expect(error?.code == .invalidArgument)
            #expect(error?.description.contains("needs both") == true)
        }
    }
}
