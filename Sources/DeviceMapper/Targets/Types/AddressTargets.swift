/// Maps a segment onto a part of another device: the kernel's `linear.rst`.
public struct LinearTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "linear"

    /// The device below, and the first sector that is used of it.
    public var area: DeviceArea

    /// Makes a target.
    public init(_ area: DeviceArea) {
        self.area = area
    }

    /// Makes a target.
    ///
    /// - Parameters:
    ///   - device: The device below.
    ///   - start: The first sector that is used of it.
    public init(device: TargetDevice, start: Sectors) {
        self.init(DeviceArea(device: device, start: start))
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let area = words.area() else { return nil }
        self.init(area)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { area.description }
}

/// Distributes a segment over several devices in chunks: the kernel's `striped.rst`.
public struct StripedTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "striped"

    /// The length of a chunk.
    public var chunk: Sectors
    /// The devices with the first sector that is used of each.
    public var stripes: [DeviceArea]

    /// Makes a target.
    public init(chunk: Sectors, stripes: [DeviceArea]) {
        self.chunk = chunk
        self.stripes = stripes
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let count = words.number(), let chunk = words.sectors(), let stripes = words.areas(count) else {
            return nil
        }
        self.init(chunk: chunk, stripes: stripes)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        (["\(stripes.count)", "\(chunk)"] + stripes.map(\.description)).joined(separator: " ")
    }
}

/// Shows one stripe of a device that distributes its data by itself, such as a RAID controller: the kernel's `unstriped.rst`.
public struct UnstripedTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "unstriped"

    /// How many stripes the device has.
    public var stripes: UInt64
    /// The length of a chunk.
    public var chunk: Sectors
    /// Which stripe is shown, from 0.
    public var stripe: UInt64
    /// The device below, and the first sector that is used of it.
    public var area: DeviceArea

    /// Makes a target.
    public init(stripes: UInt64, chunk: Sectors, stripe: UInt64, area: DeviceArea) {
        self.stripes = stripes
        self.chunk = chunk
        self.stripe = stripe
        self.area = area
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let stripes = words.number(), let chunk = words.sectors(), let stripe = words.number(),
            let area = words.area()
        else { return nil }
        self.init(stripes: stripes, chunk: chunk, stripe: stripe, area: area)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String { "\(stripes) \(chunk) \(stripe) \(area)" }
}

/// Sends each region of a segment to one of several devices, which messages choose: the kernel's `switch.rst`.
public struct SwitchTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "switch"

    /// The length of a region.
    public var region: Sectors
    /// Options; the kernel has none yet.
    public var options: [String]
    /// The devices with the first sector that is used of each.
    public var paths: [DeviceArea]

    /// Makes a target.
    public init(region: Sectors, options: [String] = [], paths: [DeviceArea]) {
        self.region = region
        self.options = options
        self.paths = paths
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let count = words.number(), let region = words.sectors(), let options = words.countedWords(),
            let paths = words.areas(count)
        else { return nil }
        self.init(region: region, options: options, paths: paths)
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        (["\(paths.count) \(region)", TargetWords.counted(options)] + paths.map(\.description)).joined(separator: " ")
    }
}

/// Gives a device another logical block size: the kernel's `dm-ebs.rst`.
public struct EmulatedBlockSizeTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "ebs"

    /// The device below, and the first sector that is used of it.
    public var area: DeviceArea
    /// The logical block size that the target has.
    public var emulatedBlockSize: Sectors
    /// The logical block size of the device below; `nil` takes what the device says.
    public var underlyingBlockSize: Sectors?

    /// Makes a target.
    public init(area: DeviceArea, emulatedBlockSize: Sectors, underlyingBlockSize: Sectors? = nil) {
        self.area = area
        self.emulatedBlockSize = emulatedBlockSize
        self.underlyingBlockSize = underlyingBlockSize
    }

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {
        guard let area = words.area(), let emulated = words.sectors() else { return nil }
        self.init(area: area, emulatedBlockSize: emulated)
        if words.isEmpty { return }
        guard let underlying = words.sectors() else { return nil }
        underlyingBlockSize = underlying
    }

    /// The parameters as the kernel takes them.
    public var parameters: String {
        ["\(area) \(emulatedBlockSize)", underlyingBlockSize?.description].compactMap(\.self).joined(separator: " ")
    }
}

/// Fails every request.
public struct ErrorTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "error"

    /// Makes a target.
    public init() {}

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {}

    /// The parameters as the kernel takes them.
    public var parameters: String { "" }
}

/// Reads as zeros and ignores writes: the kernel's `zero.rst`.
public struct ZeroTarget: TypedTarget {
    /// The name of the target in a mapping table.
    public static let type = "zero"

    /// Makes a target.
    public init() {}

    /// Reads the words; `nil` when they are not of this form.
    public init?(_ words: inout TargetWords) {}

    /// The parameters as the kernel takes them.
    public var parameters: String { "" }
}
