internal import DeviceMapper
package import LogicalVolumes

extension PoolGrowthSource {
    /// The free extents of a pool's volume group, with the settings of its profile or of lvm.conf.
    ///
    /// - Throws: `LogicalVolumeError` when there is no such pool; `DeviceMapperError` when there is no device mapper.
    package init(volume: ThinPoolVolume) throws {
        let control = try Control()
        let settings = try volume.read().settings
        self.init(
            name: try DeviceName(existing: volume.deviceName),
            settings: PoolMonitorSettings(threshold: settings.threshold, percent: settings.percent)
        ) { body in
            try volume.withPoolTable(body)
        } extend: { need, percent in
            var growth = ThinPoolGrowth(data: need.contains(.data) ? .percent(percent) : .nothing)
            if need.contains(.metadata) { growth.metadataPercent = percent }
            let result = try volume.extend(by: growth, control)
            guard result.data + result.metadata > 0 else { return nil }
            let extent = result.group.extentSize.bytes
            return "\(volume) has \(ByteSize.decimal(result.data * extent)) more for data and "
                + "\(ByteSize.decimal(result.metadata * extent)) more for metadata; "
                + "\(ByteSize.decimal(try result.group.freeExtentCount() * extent)) of the volume group are free"
        }
    }
}
