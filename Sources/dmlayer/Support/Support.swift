internal import ArgumentParser
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// The command `support`.
struct Support: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "support", abstract: "Write one archive with what a report of a fault needs.",
        discussion: """
            It has the output of this program's commands about the store, the pool and all mapped devices; the kernel's \
            version and the lines of its log about storage; the mounts of mapped devices and loop devices; and the \
            configuration files. It has the names of layers and snapshots, and neither keys of encrypted devices nor \
            anything that is in a layer. A command that has not ended after a minute is killed, and its file says so.

            The store is only read. A pool that is not active is activated for reading, and taken down again.
            """)

    @Option(name: .shortAndLong, help: ArgumentHelp("The archive (tar).", valueName: "file"))
    var output = "dmlayer-support.tar"

    @OptionGroup var options: GlobalOptions

    func run() throws {
        var bundle = SupportBundle(storeWords: try options.storeWords())
        bundle.addDevices()
        let store = openedStore(&bundle)
        if let store {
            // A pool that is active for writing refuses the question of somebody who only reads.
            let wasActive = try? store.isPoolActive()
            bundle.addCommands(onlyReading: wasActive != nil)
            if wasActive == false { bundle.takePoolDown() }
        }
        bundle.addKernel(root: try options.rootPath())
        bundle.addConfiguration(options.config)
        try OutputFile(FilePath(output)).write { try bundle.write(to: $0) }
        try options.output.print(
            json: JSONValue.object(["file": .text(output), "parts": .texts(bundle.names)]),
            text:
                "\(output) has \(bundle.names.count) files. Look through them before you send it: names of layers are in it."
        )
    }

    /// The store; `nil` where there is none that can be opened, which the bundle then says.
    private func openedStore(_ bundle: inout SupportBundle) -> LayerStore? {
        do {
            return try LayerStore(
                opening: options.rootPath(), options: options.allStorageOptions(), access: .readOnly)
        } catch {
            bundle.add("store.txt", "The store cannot be opened: \(error)\n")
            return nil
        }
    }
}

extension GlobalOptions {
    /// The words that lead another call of this program to the same store.
    fileprivate func storeWords() throws -> [String] {
        try ["--root", rootPath().string] + (config.map { ["--config", $0] } ?? [])
            + storageOptions.flatMap { ["--storage-opt", $0] }
    }
}
