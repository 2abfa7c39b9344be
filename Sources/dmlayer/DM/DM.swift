internal import ArgumentParser

/// The group `dm`: the kernel's device mapper, one subcommand for one command of its control node.
struct DM: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dm",
        abstract: "Do what dmsetup does, on the kernel's ioctls.",
        discussion: """
            The subcommands and the text they print are dmsetup's; the help of a subcommand says where it differs. Where \
            there is no device nothing is printed, and “No devices found” goes to standard error. Names are printed as \
            the kernel keeps them, so what dmsetup shows as “a b” is “a\\x20b” here.
            """,
        subcommands: [
            Version.self, Targets.self, List.self, Info.self, Table.self, Status.self, Deps.self, Create.self,
            Load.self,
            Clear.self, Suspend.self, Resume.self, Remove.self, Rename.self, Message.self, Wait.self, Events.self,
        ])
}
