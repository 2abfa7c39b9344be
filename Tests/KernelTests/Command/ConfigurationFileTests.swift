import LayerStore
import TestSupport
import Testing

/// The configuration file of a host: `config check`, and the file that commands read by default.
struct ConfigurationFileTests {
    private func check(_ content: String) throws -> (status: Int, output: String) {
        try Shell.runForStatus("printf '%s' '\(content)' | '\(DMLayerCommand.path)' config check /dev/stdin 2>&1")
    }

    @Test func saysWhatAFileMeans() throws {
        let (status, output) = try check(
            #"{"root": "/srv/store", "storage-opts": ["dm.fs=xfs"], "socket": "/run/s", "live-restore": true, "colour": 1}"#
        )
        #expect(status == 0)
        #expect(
            output == """
                root:          /srv/store
                storage-opts:  dm.fs=xfs
                socket:        /run/s
                colour:        has no meaning for Docker or dmlayer
                """)
    }

    @Test(arguments: [
        (#"{"sokcet": "/run/s"}"#, "there is no key “sokcet”; did you mean “socket”?"),
        (#"{"storage-opts": ["dm.basesiez=1g"]}"#, "did you mean “dm.basesize”?"),
        (#"{"root": "store"}"#, "“root” is “store” and not an absolute path"),
        (#"{"root": "/a","#, "it is no JSON at line 1"),
        (#"{"metrics-address": "localhost:9756"}"#, "is no IP address with a port"),
        (#"{"metrics-address": "0.0.0.0:9756"}"#, "other machines can reach the metrics address"),
    ]) func namesWhatNoCommandTakes(content: String, reason: String) throws {
        let (status, output) = try check(content)
        #expect(status == 1)
        #expect(output.contains(reason), "\(output)")
    }

    /// The default file names the store of the host; a command with `--root` does not read it.
    @Test func readsTheFileOfTheHost() throws {
        let fixture = try StoreFixture(["dm.loopdatasize=1g"])
        func ask(_ options: String) throws -> (status: Int, output: String) {
            try Shell.runForStatus(
                """
                unshare --mount sh -c '
                    mount -t tmpfs tmpfs /etc && mkdir /etc/dmlayer
                    echo "{\\"root\\": \\"\(fixture.root)\\", \\"storage-opts\\": [\\"nothing=1\\"]}" > /etc/dmlayer/config.json
                    "\(DMLayerCommand.path)" \(options) list 2>&1'
                """)
        }
        let (status, output) = try ask("")
        #expect(status == 1 && output.contains("nothing"), "\(output)")
        let named = try ask("--root \(fixture.root)")
        #expect(named.status == 0 && named.output.hasPrefix("ID"), "\(named.output)")
        try fixture.finish()
    }

    @Test(arguments: [
        ("craete layer", "there is no command “craete”; did you mean “create”?"),
        ("--root /nowhere pool statsu", "there is no command “statsu”; did you mean “status”?"),
    ]) func namesTheCommandThatWasProbablyMeant(arguments: String, question: String) throws {
        let (status, output) = try Shell.runForStatus("'\(DMLayerCommand.path)' \(arguments) 2>&1")
        #expect(status == 64)
        #expect(output.contains(question), "\(output)")
    }

    /// A name that no command resembles gets no advice.
    @Test func guessesNothingFarOff() throws {
        #expect(try !Shell.runForStatus("'\(DMLayerCommand.path)' wonder 2>&1").output.contains("did you mean"))
    }
}
