import DeviceMapper
import Testing
import ThinProvisioning

@testable import LayerStore

/// The figures of a pool.
struct PoolMetricsTests {
    private func page(_ condition: PoolReport.Condition?, _ status: String?) throws -> [String] {
        var state: ThinPoolState?
        if let status, case .available(let available) = try ThinPoolStatus(parsing: status, blockSize: Sectors(128)) {
            state = available
        }
        var text = MetricsText()
        PoolMetrics(pool: "a\"\\b", condition: condition, state: state).write(to: &text)
        return text.content.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    @Test func haveModeSpaceAndState() throws {
        let status = "7 10/4096 3/16384 - out_of_data_space discard_passdown queue_if_no_space needs_check 1024"
        #expect(
            try page(.outOfDataSpace, status) == [
                #"dmlayer_pool_up{pool="a\"\\b"} 1"#,
                #"dmlayer_pool_mode{pool="a\"\\b",mode="rw"} 0"#,
                #"dmlayer_pool_mode{pool="a\"\\b",mode="out_of_data_space"} 1"#,
                #"dmlayer_pool_mode{pool="a\"\\b",mode="ro"} 0"#,
                #"dmlayer_pool_mode{pool="a\"\\b",mode="failed"} 0"#,
                #"dmlayer_pool_mode{pool="a\"\\b",mode="inactive"} 0"#,
                #"dmlayer_pool_needs_check{pool="a\"\\b"} 1"#,
                #"dmlayer_pool_data_used_bytes{pool="a\"\\b"} 196608"#,
                #"dmlayer_pool_data_size_bytes{pool="a\"\\b"} 1073741824"#,
                #"dmlayer_pool_metadata_used_bytes{pool="a\"\\b"} 40960"#,
                #"dmlayer_pool_metadata_size_bytes{pool="a\"\\b"} 16777216"#,
            ])
    }

    /// Unknown values are left out, and not 0.
    @Test(arguments: [PoolReport.Condition.failed, .inactive, nil]) func claimNothingOfASilentPool(
        condition: PoolReport.Condition?
    ) throws {
        let page = try page(condition, nil)
        #expect(page.count == 6 && page[0].hasSuffix(" 0"))
        let modes = page.filter { $0.hasSuffix(" 1") }
        #expect(modes.map { $0.contains("mode=\"\(condition?.rawValue ?? "")\"") } == (condition == nil ? [] : [true]))
    }
}
