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
            DMVersion.self, DMTargets.self, DMList.self, DMTree.self, DMInfo.self, DMTable.self, DMStatus.self,
            DMMeasure.self, DMDeps.self, DMSplitName.self, DMCreate.self, DMLoad.self, DMClear.self, DMSuspend.self,
            DMResume.self, DMWipeTable.self, DMRemove.self, DMRemoveAll.self, DMRename.self, DMSetGeometry.self,
            DMMakeNodes.self, DMMessage.self, DMWait.self, DMEvents.self,
        ])
}
