internal import DeviceMapper
internal import SystemCalls

/// The commands about udev's cookies.
extension DMSetupSession {
    private static var prefix: String { "3405 (0xd4d)" }

    /// The number of a cookie; `nil` if the text is none.
    private func cookie(_ text: String) throws(DMSetupFailed) -> UInt32 {
        guard let value = CNumber.whole(text, radix: 0), value != 0 else {
            throw Self.failure("Incorrect cookie value.")
        }
        return UInt32(truncatingIfNeeded: value)
    }

    private func attempt<Answer>(_ work: () throws(DeviceMapperError) -> Answer) throws(DMSetupFailed) -> Answer {
        do throws(DeviceMapperError) { return try work() } catch { throw Self.failure("\(error)") }
    }

    /// The cookie with a value, whose semaphore must be there.
    private func existing(_ value: UInt32, isOwned: Bool = false) throws(DMSetupFailed) -> UdevCookie {
        do throws(DeviceMapperError) {
            return try UdevCookie(existing: value, isOwned: isOwned)
        } catch {
            throw Self.failure(
                "Could not find notification semaphore identified by cookie value \(value) (0x\(hexadecimal(value, digits: 1)))"
            )
        }
    }

    func createCookie() throws(DMSetupFailed) {
        udev.sayWhetherBypassed()
        guard udev.canWait else { return }
        let cookie = try attempt { () throws(DeviceMapperError) in try UdevCookie() }
        cookie.keep()
        print("0x" + hexadecimal(cookie.value, digits: 8).uppercased())
    }

    func releaseCookie(_ text: String?) throws(DMSetupFailed) {
        let environment = DMSetupEnvironment.value("DM_UDEV_COOKIE").flatMap { $0.isEmpty ? nil : $0 }
        guard let text = text ?? options.text("udevcookie") ?? environment else {
            throw Self.failure("No udev transaction cookie given.")
        }
        let value = try cookie(text)
        udev.sayWhetherBypassed()
        guard udev.canWait else { return }
        let cookie = try existing(value, isOwned: true)
        try attempt { () throws(DeviceMapperError) in try cookie.wait(timeout: DMSetupUdev.patience) }
    }

    func completeCookie(_ text: String) throws(DMSetupFailed) {
        let value = try cookie(text)
        // dmsetup prints the line also where nobody waits any longer.
        print("DM_COOKIE_COMPLETED=0x\(hexadecimal(value, digits: 1).padded(10))")
        udev.sayWhetherBypassed()
        guard udev.canWait else { return }
        let cookie = try existing(UdevCookie.magic << 16 | value & 0xffff)
        try attempt { () throws(DeviceMapperError) in try cookie.complete() }
    }

    func completeAllCookies(_ age: String?) throws(DMSetupFailed) {
        let minutes = try age.map { text throws(DMSetupFailed) in
            guard let minutes = CNumber.whole(text), minutes >= 0 else {
                throw Self.failure("Failed to read age_in_minutes parameter.")
            }
            return minutes
        }
        if !options.has("yes") {
            Self.complain(
                "WARNING: This operation will destroy all semaphores"
                    + "\(minutes.map { " older than \($0) minutes" } ?? "") with keys that have a prefix \(Self.prefix)."
            )
            printPart("Do you really want to continue? [y/n]: ")
            flush()
            guard readLine().map({ ["y", "Y"].contains($0.prefix(1)) }) ?? false else {
                print("\nSemaphores with keys prefixed by \(Self.prefix) NOT destroyed.")
                return
            }
        }
        let (age, isBeforeAll) = (minutes ?? 0).multipliedReportingOverflow(by: 60)
        let limit = isBeforeAll ? 0 : time(nil) - age
        var (removed, skipped) = (0, 0)
        for state in UdevCookie.all() {
            if minutes != nil, state.changed > limit {
                skipped += 1
                continue
            }
            state.remove()
            removed += 1
        }
        print("\(removed) semaphores with keys prefixed by \(Self.prefix) destroyed. \(skipped) skipped.")
    }

    func printCookies() throws(DMSetupFailed) {
        print("Cookie       Semid      Value      Last semop time           Last change time")
        for state in UdevCookie.all() {
            let times = [state.operated, state.changed].map { Self.text($0) }
            print(
                "0x\(hexadecimal(state.value, digits: 1).padded(10)) \("\(state.identifier)".padded(10)) "
                    + "\("\(state.count)".padded(10)) \(times[0].padded(24))  \(times[1])")
        }
    }

    /// A moment in the form of C's `ctime`, without its end of line.
    private static func text(_ moment: Int) -> String {
        var moment = moment
        var buffer = [CChar](repeating: 0, count: 32)
        unsafe ctime_r(&moment, &buffer)
        let bytes = buffer.prefix { $0 != 0 && $0 != 10 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func hexadecimal(_ value: UInt32, digits: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, digits - text.count)) + text
    }

    /// The flags in the upper half of a cookie, as udev's rules import them.
    func printFlags(_ text: String) throws(DMSetupFailed) {
        let names = [
            "DISABLE_DM_RULES", "DISABLE_SUBSYSTEM_RULES", "DISABLE_DISK_RULES", "DISABLE_OTHER_RULES", "LOW_PRIORITY",
            "DISABLE_LIBRARY_FALLBACK", "PRIMARY_SOURCE",
        ]
        guard let value = CNumber.whole(text, radix: 0), value != 0 else {
            throw Self.failure("Incorrect cookie value.")
        }
        for bit in 0..<16 where value >> (16 + bit) & 1 == 1 {
            let name =
                bit < names.count
                ? "DM_UDEV_\(names[bit])_FLAG" : bit < 8 ? "DM_UDEV_FLAG\(bit)" : "DM_SUBSYSTEM_UDEV_FLAG\(bit - 8)"
            print("\(name)='1'")
        }
    }
}
