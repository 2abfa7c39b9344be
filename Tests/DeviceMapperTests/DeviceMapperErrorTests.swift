import SystemPackage
import Testing

@testable import DeviceMapper

@Suite struct DeviceMapperErrorTests {
    private func refusal(_ errno: Errno, _ command: ControlCommand, reason: [String] = []) -> DeviceMapperError {
        DeviceMapperError(errno, command: command, device: "web", kernelReason: reason)
    }

    @Test func tellsWhatWasAttemptedOnWhichDeviceAndWhy() {
        #expect(
            "\(refusal(.resourceBusy, .removeDevice))" == "cannot remove the device web: it is in use (EBUSY)")
        #expect(
            "\(refusal(.resourceBusy, .createDevice))"
                == "cannot create the device web: a device with this name or uuid exists already (EBUSY)")
        #expect(
            "\(refusal(.invalidArgument, .loadTable, reason: ["table: 254:5: zero: No arguments required (-EINVAL)"]))"
                == "cannot load a mapping table into the device web: the kernel does not accept it (EINVAL): "
                + "the kernel says: table: 254:5: zero: No arguments required (-EINVAL)")
        #expect(
            "\(refusal(.ioError, .suspendDevice))"
                == "cannot suspend or resume the device web: Input/output error (errno 5)")
    }

    @Test func tellsWhatWasAttemptedWithoutACommand() {
        let error = DeviceMapperError(
            .notPermitted, attempt: "open /dev/mapper/control", errno: .permissionDenied, detail: "it needs root")
        #expect("\(error)" == "cannot open /dev/mapper/control: Permission denied (errno 13): it needs root")
        #expect("\(DeviceMapperError(.invalidName, device: "a b", detail: "no blanks"))" == "“a b”: no blanks")
        #expect("\(DeviceMapperError(.invalidTable, detail: "the table is empty"))" == "the table is empty")
    }

    @Test func tellsThatThereIsNoDeviceMapper() {
        #expect {
            try KernelTransport(path: "/no/such/directory/control")
        } throws: { error in
            guard let error = error as? DeviceMapperError else { return false }
            return error.code == .noDeviceMapper && "\(error)".contains("modprobe dm_mod")
        }
    }

    @Test func isRecognisedByItsCode() {
        #expect(refusal(.noSuchAddressOrDevice, .deviceStatus).code == .noSuchDevice)
        #expect(refusal(.resourceBusy, .removeDevice).code == .busy)
        #expect(refusal(.fileExists, .targetMessage).code == .alreadyExists)
        #expect(refusal(.noData, .targetMessage).code == .noSuchThing)
        #expect(refusal(.permissionDenied, .listDevices).code == .notPermitted)
        #expect(refusal(.notSupported, .targetMessage).code == .readOnly)
        #expect(refusal(.invalidArgument, .targetMessage).code == .invalidArgument)
        #expect(refusal(.interrupted, .suspendDevice).code == .interrupted)
        #expect(refusal(.noSpace, .targetMessage).code == .outOfSpace)
        #expect(refusal(.inappropriateIOCTLForDevice, .targetVersion).code == .notSupported)
        #expect("\(refusal(.inappropriateIOCTLForDevice, .targetVersion))".contains("4.41.0"))
        // A table can be refused because a device that it names is missing.
        #expect(refusal(.noSuchAddressOrDevice, .loadTable).code == .noSuchDevice)
        #expect(refusal(.noSuchAddressOrDevice, .loadTable, reason: ["table: 254:0: thin: ..."]).code == .failed)
    }
}
