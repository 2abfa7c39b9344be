import LayerStore
import SystemPackage
import TestSupport
import Testing

/// Where `dmlayer diff` writes to.
@Suite(.serialized) struct StoreArchiveOutputTests {
    @Test func aFileIsReplacedWhenTheArchiveIsComplete() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        let content = try fixture.store.mount(layer)
        try Shell.run("head -c 3000000 /dev/urandom > '\(content)/large'")
        try fixture.store.unmount(layer)
        let out = try fixture.scratch.makeDirectory("out")
        let (command, small) = ("'\(DMLayerCommand.path)' --root '\(fixture.root)' diff", "'\(out)/small'")
        try Shell.run(
            """
            cd '\(out)'; mkdir small; mount -t tmpfs -o size=1m none small
            for file in old small/old; do echo old > $file; chmod 640 $file; done
            ln -s old link; mkfifo fifo
            """)
        // Exports that fail at once, and in the middle.
        for (arguments, file) in [("nothing", "old"), ("layer", "small/old"), ("layer", "none/old")] {
            let (status, output) = try Shell.runForStatus(
                "cd '\(out)'; \(command) \(arguments) --output '\(file)' 2>&1")
            #expect(status == 1, "\(output)")
        }
        #expect(
            try Shell.run("cd '\(out)'; cat old small/old; ls -A . small")
                == "old\nold\n.:\nfifo\nlink\nold\nsmall\n\nsmall:\nold")
        try Shell.run("umount \(small)")
        // Through a link, which stays, and with the permissions of the old file.
        try Shell.run("cd '\(out)'; \(command) layer --output link; \(command) layer --output new; cmp old new")
        #expect(
            try Shell.run("cd '\(out)'; stat -c '%n %a %F' old link; tar -tf new; ls -A")
                == "old 640 regular file\nlink 777 symbolic link\nlarge\nfifo\nlink\nnew\nold\nsmall")
        // Outputs that are no regular files.
        try Shell.run(
            """
            cd '\(out)'; (cat fifo > read) & \(command) layer --output fifo; wait; cmp read new
            \(command) layer --output /dev/null; test -c /dev/null
            \(command) layer --output /dev/stdout | cmp - new
            echo before > both; \(command) layer --output /dev/stdout >> both; (echo before; cat new) | cmp - both
            """)
        let (status, output) = try Shell.runForStatus("\(command) layer --output /dev/full 2>&1")
        #expect(status == 1 && output.contains("No space left"), "\(output)")
        try fixture.finish()
    }

    @Test func namesThatNoArchiveCanHold() throws {
        let fixture = try StoreFixture()
        let layer = try LayerID("layer")
        try fixture.store.create(layer)
        let content = try fixture.store.mount(layer)
        try Shell.run("cd '\(content)'; touch file .wh.file")
        try fixture.store.unmount(layer)
        #expect(try fixture.run("changes layer").output == "A /.wh.file\nA /file")
        let (status, output) = try fixture.run("diff layer | wc -c")
        #expect(status == 0 && output.hasSuffix("0"), "\(output)")
        let (refusal, message) = try fixture.run("diff layer --output /dev/null")
        #expect(refusal == 1)
        #expect(message.contains("“.wh.file”") && message.contains("--skip-reserved"), "\(message)")
        #expect(try fixture.run("diff layer --skip-reserved 2>/dev/null | tar -tf -").output == "file")
        #expect(
            try fixture.run("diff layer --skip-reserved --output /dev/null 2>&1").output
                .contains("left out of the archive: 1 file"))
        try fixture.finish()
    }
}
