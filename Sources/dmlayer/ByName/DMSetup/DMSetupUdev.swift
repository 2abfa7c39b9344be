internal import DeviceMapper
internal import SystemCalls

/// How a command deals with udev's rules.
final class DMSetupUdev {
    /// How long a command waits for udev's rules.
    static let patience = Duration.seconds(180)

    /// Whether udev's rules make the nodes of this call, which are in /dev/mapper then.
    let rulesMakeNodes: Bool
    /// Whether udevd runs and is left out, which has not been said yet.
    private var isBypassed: Bool
    /// Whether rules can count a cookie down.
    let canWait: Bool
    private let flags: UdevFlags
    /// The cookie of all commands of this call.
    private(set) var cookie: UdevCookie?
    /// Whether the cookie came from outside: then the caller waits.
    private let isForeign: Bool

    /// - Parameter hasUsualNodes: Whether the nodes are in /dev/mapper, the only directory that udev's rules know.
    init(_ options: DMSetupOptions, hasUsualNodes: Bool) {
        let isDisabled = DMSetupEnvironment.value("DM_DISABLE_UDEV").map { !$0.isEmpty } ?? false
        let runs = unsafe access("/run/udev/control", F_OK) == 0
        isBypassed = isDisabled && runs
        let hasRules = !isDisabled && !options.has("noudevrules")
        rulesMakeNodes = runs && hasRules && hasUsualNodes
        canWait = runs && !isDisabled && !options.has("noudevsync")
        var flags: UdevFlags = .primarySource
        if !hasRules { flags.formUnion([.noDeviceMapperRules, .noSubsystemRules]) }
        if rulesMakeNodes, !options.has("verifyudev") { flags.insert(.noLibraryFallback) }
        self.flags = flags
        let text = options.text("udevcookie") ?? DMSetupEnvironment.value("DM_UDEV_COOKIE")
        let value = text.flatMap { CNumber.whole($0, radix: 0) } ?? 0
        isForeign = canWait && value != 0
        if options.has("udevcookie"), value == 0 { DMSetupSession.complain("Incorrect cookie value.") }
        if isForeign {
            // Without the semaphore, nothing waits for these commands.
            cookie = try? UdevCookie(existing: UInt32(truncatingIfNeeded: value))
        }
    }

    /// Says that udevd is left out, once.
    func sayWhetherBypassed() {
        if isBypassed {
            DMSetupSession.complain(
                "Udev is running and DM_DISABLE_UDEV environment variable is set. "
                    + "Bypassing udev, device-mapper library will manage device nodes in device directory.")
        }
        isBypassed = false
    }

    /// The flags and the cookie that go to udev's rules with a command.
    func notice() throws(DMSetupFailed) -> UdevNotice {
        sayWhetherBypassed()
        guard canWait else { return .flags(flags) }
        if cookie == nil, !isForeign {
            do throws(DeviceMapperError) { cookie = try UdevCookie() } catch {
                throw DMSetupSession.failure("\(error)")
            }
        }
        return cookie.map { .cookie($0, flags) } ?? .flags(flags)
    }

    /// Waits until the rules have run.
    func wait() throws(DMSetupFailed) {
        guard let cookie, !isForeign else { return }
        self.cookie = nil
        do throws(DeviceMapperError) {
            try cookie.wait(timeout: Self.patience)
        } catch {
            // The change itself is made.
            DMSetupSession.complain("\(error)")
        }
    }
}

extension DMSetupSession {
    /// Waits until udev's rules have run for every command that was sent.
    func waitForUdev() throws(DMSetupFailed) { try udev.wait() }
}
