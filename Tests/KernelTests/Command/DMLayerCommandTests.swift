import DeviceMapper
import TestSupport
import Testing

/// The command `dmlayer dm` as people and scripts use it.
@Suite(.serialized) struct DMLayerCommandTests {
    let fixture: DMFixture

    init() throws {
        fixture = try DMFixture()
    }

    /// A value of the printed JSON, found by somebody else's parser.
    private func value(_ filter: String, of command: String) throws -> String {
        let json = try DMLayerCommand.run(command)
        return try Shell.run("jq --raw-output '\(filter)' <<'END'\n\(json)\nEND")
    }

    @Test func createsFromAnArgumentAFileAndStandardInput() throws {
        let name = fixture.prefix + "device"
        let file = fixture.scratch.appending("table")
        try Shell.run("printf '# two\\n0 10 zero\\n10 10 error\\n' > '\(file)'")
        for source in ["--table '0 10 zero\n10 10 error'", "--table-file '\(file)'", "< '\(file)'"] {
            let node = try DMLayerCommand.run("dm create \(name) --uuid \(name)-uuid --minor 999 \(source)")
            #expect(node == "/dev/dm-999")
            #expect(try Shell.run("blockdev --getsz \(node)") == "20")
            #expect(try DMLayerCommand.run("dm info --uuid \(name)-uuid").hasPrefix("Name:              \(name)\n"))
            try DMLayerCommand.run("dm remove \(name)")
        }
    }

    @Test func goesThroughTheLifeOfADevice() throws {
        let name = fixture.prefix + "device"
        let disk = try fixture.disk("disk")
        try DMLayerCommand.run("dm create \(name) --no-table")
        try DMLayerCommand.run("dm load \(name) --readonly --table '0 100 linear \(disk) 0'")
        try DMLayerCommand.run("dm resume \(name)")
        #expect(try value(".read_only", of: "dm info \(name) --json") == "true")
        try DMLayerCommand.run("dm suspend \(name) --no-flush --skip-freeze")
        #expect(try value(".suspended", of: "--json dm info \(name)") == "true")
        try DMLayerCommand.run("dm load \(name) --table '0 200 linear \(disk) 0'")
        try DMLayerCommand.run("dm resume \(name) --no-flush")
        #expect(try DMLayerCommand.run("dm table \(name)") == "0 200 linear \(disk) 0")
        try DMLayerCommand.run("dm load \(name) --table '0 300 zero'")
        try DMLayerCommand.run("dm clear \(name)")
        #expect(try DMLayerCommand.run("dm table --inactive \(name)").isEmpty)
        try DMLayerCommand.run("dm rename \(name) --set-uuid \(name)-uuid")
        try DMLayerCommand.run("dm rename \(name) \(name)-2")
        #expect(try value(".uuid", of: "dm --json info \(name)-2") == "\(name)-uuid")
        try DMLayerCommand.run("dm remove --uuid \(name)-uuid")
        let (status, output) = try DMLayerCommand.runForStatus("dm info \(name)-2")
        #expect(status == 1)
        #expect(
            output == "dmlayer: cannot ask for the state of the device \(name)-2: there is no such device (ENXIO)")
    }

    @Test func printsJSONWithStableKeys() throws {
        let name = fixture.prefix + "device"
        let disk = try fixture.disk("disk")
        let created = try value(
            ".node", of: "dm create \(name) --uuid U-\(name) --table '0 10 linear \(disk) 8' --json")
        #expect(try value(".node", of: "dm info \(name) --json") == created)
        #expect(try value(".[0].name", of: "dm ls --prefix \(fixture.prefix) --json") == name)
        #expect(try value(".segments[0].parameters", of: "dm table --json \(name)") == "\(disk) 8")
        #expect(try value(".segments[0].target", of: "dm status --json \(name)") == "linear")
        #expect(try value(".dependencies[0]", of: "dm deps --json \(name)") == "\(disk)")
        #expect(try value(".answer", of: "dm message \(name) 0 @stats_create - /1 --json") == "0")
        #expect(
            try value(".[0].version", of: "dm targets linear --json")
                == "\(try fixture.control.targetVersion(of: "linear").version)")
        #expect(try value(".driver_version", of: "dm version --json") == "\(try fixture.control.version())")
        #expect(try value("length", of: "dm ls --json --prefix no-such-prefix 2>/dev/null") == "0")
        #expect(
            try value("keys | join(\" \")", of: "dm info --json \(name)")
                == "active_table deferred_remove event_number inactive_table name node number open_count read_ahead "
                + "read_only suspended target_count uuid")
    }

    @Test func hidesKeys() throws {
        let key = "000102030405060708090a0b0c0d0e0f"
        let name = try fixture.device("device", "0 10 crypt aes-cbc-essiv:sha256 \(key) 0 \(fixture.disk("disk")) 0")
            .name
        #expect(try !DMLayerCommand.run("dm table \(name)").contains(key))
        #expect(try !DMLayerCommand.run("dm table --json").contains(key))
        #expect(try DMLayerCommand.run("dm table \(name) --show-keys").contains(key))
        #expect(try DMLayerCommand.run("dm table \(name) --showkeys").contains(key))
        // A new key by a message, which the kernel takes while the device is suspended.
        let other = "f0e0d0c0b0a090807060504030201000"
        try DMLayerCommand.run("dm suspend \(name)")
        try DMLayerCommand.run("dm message \(name) 0 key wipe")
        try DMLayerCommand.run("dm message \(name) 0 key set \(other)")
        try DMLayerCommand.run("dm resume \(name)")
        #expect(try DMLayerCommand.run("dm table \(name) --show-keys").contains(other))
    }

    @Test func hidesKeysOfIntegrity() throws {
        let key = "000102030405060708090a0b0c0d0e0f"
        let disk = try fixture.disk("disk", size: 4 << 20)
        let table = "\(disk) 0 - J 1 journal_mac:hmac(sha256):\(key)"
        let made = try DMLayerCommand.runForStatus("dm create \(fixture.prefix)device --table '0 8 integrity \(table)'")
        // Not every kernel has the target and the algorithm; what it says must not have the key either.
        guard made.status == 0 else {
            #expect(!made.output.contains(key))
            return
        }
        let name = fixture.prefix + "device"
        let hidden = try DMLayerCommand.run("dm table \(name)")
        #expect(hidden.contains("journal_mac:hmac(sha256):") && !hidden.contains(key), "\(hidden)")
        #expect(try !DMLayerCommand.run("dm table --json").contains(key))
        #expect(try DMLayerCommand.run("dm table \(name) --show-keys").contains(key))
    }

    @Test func sendsMessages() throws {
        let pool = try fixture.pool("pool").name
        #expect(try DMLayerCommand.run("dm message \(pool) 0 create_thin 0").isEmpty)
        #expect(try DMLayerCommand.run("dm message \(pool) 0 'create_snap 1 0'").isEmpty)
        #expect(try DMLayerCommand.run("dm message \(pool) 0 set_transaction_id 0 5").isEmpty)
        #expect(try DMLayerCommand.run("dm status \(pool)").hasPrefix("0 131072 thin-pool 5 "))
        let (status, output) = try DMLayerCommand.runForStatus("dm message \(pool) 0 create_thin 0")
        #expect(status == 1)
        #expect(output.hasPrefix("dmlayer: cannot send a message to the device \(pool): it exists already (EEXIST): "))
    }

    @Test func saysThatADeviceStaysUntilItIsClosed() throws {
        let device = try fixture.device("device", "0 10 zero")
        let command = "'\(DMLayerCommand.path)' dm remove \(device.name)"
        let output = try Shell.run(
            """
            exec 3< /dev/dm-\(device.number.minor)
            \(command); echo $?
            \(command) --deferred; echo $?
            """)
        #expect(
            output == """
                dmlayer: cannot remove the device \(device.name): it is in use (EBUSY)
                1
                dmlayer: \(device.name) is in use; it goes away when it is closed for the last time
                0
                """)
    }
}
