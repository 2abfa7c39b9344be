internal import ArgumentParser

/// The group `metadata`: what a thin pool keeps of its devices.
struct Metadata: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "metadata",
        abstract: "Check, show, write and repair the metadata of a thin pool.",
        discussion: """
            SOURCE is the metadata device of a pool, or a file with its content; without it, commands read the store's own \
            pool, from a snapshot of its metadata while it is active. Commands that say nothing else only read. The \
            metadata of another pool that is active changes under the reader: read a snapshot of it (--metadata-snapshot).
            """,
        subcommands: [
            MetadataCheck.self, MetadataList.self, MetadataDump.self, MetadataMap.self, MetadataDelta.self,
            MetadataRestore.self, MetadataRepair.self, MetadataSize.self, MetadataRenewClock.self,
        ])
}
