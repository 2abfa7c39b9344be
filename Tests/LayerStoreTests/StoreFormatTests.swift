import SystemPackage
import TestSupport
import Testing
import ThinProvisioning

@testable import LayerStore

/// The formats of `store.json` and of metadata files.
struct StoreFormatTests {
    let scratch: ScratchDirectory
    let root: DurableDirectory

    init() throws {
        scratch = try ScratchDirectory()
        root = try DurableDirectory(scratch.path)
    }

    private static let id = String(repeating: "0123456789abcdef", count: 2)

    private func store(_ extra: String = "", pool: String = "", blockSize: String = "65536") -> String {
        """
        {"base_size":314572800,"block_size":\(blockSize),"filesystem":"ext4","min_free_space_percent":10,\
        "mkfs_arguments":[],"mount_options":[],"pool":{"data_file_size":1073741824,"metadata_file_size":16777216\(pool)},\
        "store_id":"\(Self.id)"\(extra)}
        """
    }

    private func read(_ text: String) throws -> StoreConfiguration? {
        try root.write(StoreConfiguration.fileName, Array(text.utf8))
        return try StoreConfiguration.read(in: StoreDirectory(opening: scratch.path))
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// A newer version's fields of every kind, and in nested objects, are written back.
    @Test func keepsUnknownFieldsOfTheStore() throws {
        let fields = #","zebra":{"a":[1,-2,1.5,18446744073709551615,null,true,"é\n",{}]},"zoo":null"#
        var configuration = try #require(try read(store(fields, pool: #","extra":[{"x":false}]"#)))
        configuration.mountOptions = ["noatime"]
        configuration.pool.dataFileSize = 2 << 30
        let written = text(try StoreJSON.encode(configuration))
        #expect(written.contains(fields), "\(written)")
        #expect(written.contains(#""pool":{"data_file_size":2147483648,"extra":[{"x":false}],"#), "\(written)")
        #expect(written.contains(#""format":1"#) && written.contains(#""mount_options":["noatime"]"#), "\(written)")
        #expect(try read(written) == configuration)
    }

    @Test func takesAFileWithoutAFormat() throws {
        #expect(try read(store())?.blockSize == 65536)
        #expect(try read(store(#","format":1"#))?.blockSize == 65536)
    }

    /// In a newer format, everything else may be of another form.
    @Test(arguments: [#"{"format":2}"#, #"{"store_id":7,"pool":[],"format":3}"#])
    func refusesANewerStore(text: String) {
        #expect { try read(text) } throws: {
            ($0 as? LayerStoreError)?.code == .damagedMetadata && "\($0)".contains("store.json")
                && "\($0)".contains("use the newer version that wrote it. Nothing was changed")
        }
    }

    @Test(arguments: ["0", "-1", "1.5", #""1""#, "99999999999999999999"]) func refusesWhatIsNoFormat(number: String) {
        #expect(throws: LayerStoreError.self) { try read(store(#","format":\#(number)"#)) }
    }

    /// Numbers and texts that other code could not bear are refused with the field.
    @Test(
        arguments: [
            (#""block_size":65536"#, #""block_size":0"#, "block_size"),
            (#""block_size":65536"#, #""block_size":65537"#, "block_size"),
            (#""block_size":65536"#, #""block_size":18446744073709551615"#, "block_size"),
            (#""base_size":314572800"#, #""base_size":0"#, "base_size"),
            (#""base_size":314572800"#, #""base_size":314572801"#, "base_size"),
            (#""base_size":314572800"#, #""base_size":9223372036854775808"#, "base_size"),
            (#""data_file_size":1073741824"#, #""data_file_size":0"#, "pool.data_file_size"),
            (#""data_file_size":1073741824"#, #""data_file_size":18446744073709551615"#, "pool.data_file_size"),
            (#""metadata_file_size":16777216"#, #""metadata_file_size":1"#, "pool.metadata_file_size"),
            (#""data_file_size":1073741824,"#, "", "pool"),
            (#""data_file_size""#, #""data_device":"/dev/a","data_file_size""#, "pool"),
            (#""data_file_size":1073741824"#, #""data_device":"/dev/a\u0000b""#, "pool"),
            (#""data_file_size":1073741824"#, #""data_device":"""#, "pool"),
            (#""mount_options":[]"#, #""mount_options":["a\u0000b"]"#, "mount_options"),
            (#""store_id""#, #""owner":{"uid":4294967295,"gid":0},"store_id""#, "owner"),
            (#""min_free_space_percent":10"#, #""min_free_space_percent":100"#, "min_free_space_percent"),
            (
                #""store_id""#,
                #""making":{"files":["../../etc/passwd"],"devices":[],"is_volume_group_new":false,"was_pool_active":false},"store_id""#,
                "making.files"
            ),
            (
                #""store_id""#,
                #""making":{"files":[],"devices":["/dev/sda"],"is_volume_group_new":false,"was_pool_active":false},"store_id""#,
                "making.devices"
            ),
        ] as [(String, String, String)]) func refusesWhatOtherCodeCannotBear(
            part: String, edited: String, field: String
        )
    {
        let text = store()
        #expect(text.contains(part))
        #expect { try read(text.replacing(part, with: edited)) } throws: {
            ($0 as? LayerStoreError)?.code == .damagedMetadata && "\($0)".contains("“\(field)” in store.json must be")
                || "\($0)".contains("” and “\(field)” in store.json must be")
        }
    }

    // MARK: Records

    private func record(_ text: String) throws -> LayerRecord? {
        let metadata = try LayerRegistry(scratch.path)
        try DurableDirectory(scratch.path).write("a", Array(text.utf8))
        return try metadata.record(of: LayerID("a"))
    }

    /// A field of a newer version, in the record and in its snapshot, survives; Docker's reader passes over it.
    @Test func keepsUnknownFieldsOfARecord() throws {
        let snapshot =
            #"{"created_ns":1,"inherited_bytes":0,"key":"k","kind":"active","labels":{},"new":{"deep":[1]},"parent":"","updated_ns":1}"#
        let text =
            #"{"created":5,"deleted":false,"device_id":1,"format":1,"initialized":false,"later":"x","parent":"base","size":512,"#
            + #""snapshot":\#(snapshot),"transaction_id":0}"#
        var kept = try #require(try record(text))
        #expect(kept.snapshot?.key == "k")
        kept.size = 1024
        kept.snapshot?.kind = .committed
        try LayerRegistry(scratch.path).save(kept, of: LayerID("a"))
        let written = self.text(try #require(try root.read("a")))
        #expect(
            written
                == text.replacing(#""size":512"#, with: #""size":1024"#).replacing("active", with: "committed"))
        #expect(try record(written) == kept)
    }

    @Test(arguments: [
        #"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"format":2}"#, #"{"format":2}"#,
        #"{"format":7,"device_id":{"a":1}}"#,
    ]) func refusesANewerRecord(text: String) throws {
        #expect { try record(text) } throws: {
            ($0 as? LayerStoreError)?.code == .damagedMetadata && "\($0)".contains("use the newer version")
        }
        #expect(LayerRecord(usualText: Array(text.utf8)) == nil)
    }

    /// The usual text has the format, and is read without the decoder.
    @Test func readsTheUsualFormWithItsFormat() throws {
        let record = LayerRecord(
            deviceID: .maximum, size: 512, transactionID: 1, isInitialized: false, isDeleted: false, parent: "base",
            created: 1)
        let usual = try #require(record.usualText)
        #expect(text(usual).contains(#""format":1"#))
        #expect(LayerRecord(usualText: usual) == record)
        var newer = record
        newer.unknownFields = try #require(
            try self.record(#"{"device_id":1,"size":5,"transaction_id":0,"initialized":true,"q":1}"#)
        )
        .unknownFields
        #expect(newer.usualText == nil)
    }
}
