import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The options of the commands that list something.
@Suite(.serialized) struct ListingTests {
    /// A store with the layers first, second (which is larger) and third (a copy of second), and one that is damaged.
    private func fixture() throws -> StoreFixture {
        let fixture = try StoreFixture()
        try fixture.store.create(LayerID("second"), size: 320 << 20)
        try fixture.store.create(LayerID("first"))
        try fixture.store.create(LayerID("third"), parent: LayerID("second"))
        return fixture
    }

    @Test func areSorted() throws {
        let fixture = try fixture()
        for (options, expected) in [
            ("-q", "base first second third"), ("--quiet --reverse", "third second first base"),
            ("-q --sort device_id", "base second first third"), ("-q --sort 'DEVICE ID'", "base second first third"),
            ("-q --sort size", "base first second third"), ("-q --sort Size --reverse", "second third base first"),
            // The base device has no parent.
            ("-q --sort parent", "first second third base"), ("-q --sort parent --reverse", "third first second base"),
        ] {
            let (status, output) = try fixture.run("list \(options)")
            #expect(
                status == 0 && output.split(separator: "\n").joined(separator: " ") == expected, "\(options): \(output)"
            )
        }
        let ids = try Shell.run(
            "'\(DMLayerCommand.path)' --root '\(fixture.root)' --json list --sort device_id | jq -c '[.[].id]'")
        #expect(ids == #"["base","second","first","third"]"#)
        #expect(try fixture.run("list").output.hasPrefix("ID      DEVICE ID  SIZE     PARENT\nbase    "))
        try fixture.finish()
    }

    @Test func haveTheFormatOfTheUser() throws {
        let fixture = try fixture()
        for (format, expected) in [
            (#"{{.id}}\t{{ .Size }}"#, "base\t314572800\nfirst\t314572800\nsecond\t335544320\nthird\t335544320"),
            (#"{{.ID}}:{{.Parent}}.\\n"#, "base:.\\n\nfirst:base.\\n\nsecond:base.\\n\nthird:second.\\n"),
            (
                #"table {{.ID}}\tin {{.Size}}"#,
                "ID      in SIZE\nbase    in 314.6MB\nfirst   in 314.6MB\nsecond  in 335.5MB\nthird   in 335.5MB"
            ),
        ] {
            let (status, output) = try fixture.run("list --format '\(format)'")
            #expect(status == 0 && output == expected, "\(format): \(output)")
        }
        #expect(try fixture.run("list --space --format '{{.id}} {{.mapped}}' --sort exclusive").status == 0)
        try fixture.finish()
    }

    /// A wrong option is refused before the store is opened, with the names of all columns.
    @Test(arguments: [
        ("list --sort name", "the columns are: id, device_id, size, parent, "),
        ("list --sort mapped", "no such column"), ("snapshot list --sort layers", "key, kind, id, device_id, "),
        ("list --format '{{.Name}}'", "{{.Name}}”, which is no field; the fields are: {{.id}}, {{.device_id}}, "),
        ("list --format '{{json .}}'", "{{json .}}”, which is no field"), ("list --format '{{.id'", "without “}}”"),
        ("list --format json", "For JSON there is --json"),
        ("list -q --format '{{.id}}'", "either --quiet or --format"),
        ("list --json --format '{{.id}}'", "either --format or --json"), ("list --watch 0", "from 0.1 on"),
        ("tree --watch soon", "write a number of seconds"),
    ])
    func refuseWhatIsNotThere(arguments: String, message: String) throws {
        let (status, output) = try DMLayerCommand.runForStatus("--root /nowhere \(arguments)")
        #expect(status == 64 && output.contains(message), "\(output)")
    }

    /// A metadata file that cannot be understood is in JSON only.
    @Test func leaveDamagedFilesOutOfTheText() throws {
        let fixture = try fixture()
        try fixture.store.shutdown()
        let file = "'\(fixture.root)/metadata/first'"
        try Shell.run("cp \(file) '\(fixture.scratch.path)/kept' && echo '{' > \(file)")
        let command = "'\(DMLayerCommand.path)' --root '\(fixture.root)'"
        #expect(try Shell.run("\(command) list -q 2>/dev/null") == "base\nsecond\nthird")
        #expect(
            try Shell.run("\(command) --json list --sort size 2>/dev/null | jq -c '[.[].id]'")
                == #"["base","second","third","first"]"#)
        #expect(try Shell.run("\(command) list -q 2>&1 >/dev/null").hasPrefix("dmlayer: layer first: "))
        try Shell.run("cp '\(fixture.scratch.path)/kept' \(file)")
        try fixture.finish()
    }

    #if Images
    @Test func showEachNameOfAnImage() throws {
        let images = try ImageStoreFixture()
        #expect(try images.done("image list -q") == "")
        let archive = images.maker.folder.appending("docker.tar")
        try Shell.run("xz -dc '\(DockerRootFixture.files)/save-all.tar.xz' > '\(archive)'")
        try images.done("image import '\(archive)'")
        let names = try images.done("image list --format '{{.Repository}}:{{.Tag}} {{.ID}}' --sort tag --reverse")
        let tags = names.split(separator: "\n").compactMap { $0.split(separator: " ").first }
        #expect(tags.map(String.init).prefix(2) == ["fixture/chain:v4", "fixture/chain:v3"], "\(names)")
        #expect(names.contains("fixture/base:1 sha256:f68510d054f0"))
        #expect(try images.done("image list -q --sort size").split(separator: "\n").count == 5)
        let table = try images.done(#"image list --format 'table {{.ID}}\t{{.Tag}}' --sort id"#)
        #expect(table.hasPrefix("IMAGE ID       TAG\n"), "\(table)")
        try images.done("image remove f68510d054f0 e3db127dbbc6 33022d40088d 56ea32869787 ce53bfb0d835")
        try images.fixture.finish()
    }
    #endif
}
