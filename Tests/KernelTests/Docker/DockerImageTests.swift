#if Images
import SystemPackage
import TestSupport
import Testing

/// The images of a root that Docker left, saved; judged by what Docker saved of them.
@Suite(.serialized) struct DockerImageTests {
    private let fixture: DockerRootFixture
    private let archive: FilePath
    /// The saved archive, unpacked.
    private let unpacked: FilePath

    init() throws {
        fixture = try DockerRootFixture(hasContent: true)
        archive = fixture.scratch.appending("saved.tar")
        unpacked = fixture.scratch.appending("unpacked")
    }

    /// Saves images, and unpacks the archive.
    private func save(_ arguments: String) throws -> (status: Int, output: String) {
        let result = try fixture.runForStatus("--read-only image save \(arguments) --output '\(archive)'")
        #expect(try Shell.run("ls '\(archive)' 2> /dev/null || true") != "", "\(result.output)")
        try Shell.run("rm -rf '\(unpacked)'; mkdir '\(unpacked)'; tar -C '\(unpacked)' -xf '\(archive)'")
        return result
    }

    /// The contents of the archive that are missing, or whose names are not their digests.
    private func faults() throws -> String {
        try Shell.run(
            """
            cd '\(unpacked)'
            jq -r '.[] | .Config, .Layers[]' manifest.json | sort -u | while read path; do
                [ "$(sha256sum < $path | cut -c 1-64)" = "${path##*/}" ] || echo "$path"
            done
            """)
    }

    /// Changes a file in a layer, behind Docker's back.
    private func change(_ layer: String, _ commands: String) throws {
        let path = try fixture.run("mount \(layer)")
        try Shell.run("set -e; cd '\(path)'; \(commands)")
        try fixture.run("unmount \(layer)")
        try fixture.shutDown()
    }

    @Test func savesTheImagesThatDockerSaved() throws {
        let before = try digest()
        #expect(try save("--all").status == 0)
        #expect(try faults() == "")
        // The ids, the names, and the bytes of each layer and each configuration.
        let list = #"jq -c '.[] | [.RepoTags[0], (.Config | sub(".*/"; "") | rtrimstr(".json")), (.Layers | length)]'"#
        try Shell.run(
            """
            set -e
            cd '\(fixture.scratch.path)'
            mkdir recorded && tar -C recorded -xf '\(DockerRootFixture.files)/save-all.tar.xz'
            \(list) recorded/manifest.json | sort > a; \(list) unpacked/manifest.json | sort > b
            test $(wc -l < a) = 5; diff a b
            for number in 0 1 2 3 4; do
                name=$(jq -r ".[$number].RepoTags[0]" recorded/manifest.json)
                for file in recorded unpacked; do
                    jq -r ".[] | select(.RepoTags[0] == \\"$name\\") | .Config, .Layers[]" $file/manifest.json |
                        while read path; do sha256sum < $file/$path; done > sums-$file
                done
                diff sums-recorded sums-unpacked
            done
            """)
        #expect(try digest() == before)
    }

    /// A digest of all files below the root.
    ///
    /// - Parameter leavingOut: The name of files that it leaves out.
    private func digest(leavingOut name: String = "none") throws -> String {
        try Shell.run(
            "cd '\(fixture.root)' && find . -type f ! -name '\(name)' -exec sha256sum {} + | sort | sha256sum")
    }

    /// A layer that Docker's record does not fit any more is saved as it is; images without it stay what they are.
    @Test func savesALayerThatHasChanged() throws {
        for (commands, reason) in [
            ("echo longer > data/built", "has 7 bytes instead of 6"),
            ("echo bUilt > data/built", "has another content"),
            ("rm data/built", "cannot be read"),
        ] {
            try change("a6f81e0666ba2786ae4d9f1da40004a0bbafdb4c64778fe8d342265525079e0b", commands)
            let (status, output) = try save("fixture/base:1 fixture/built:v1")
            #expect(status == 0)
            #expect(output.contains("the archive of layer b8f1d35e4d10 could not be made as it was"), "\(output)")
            #expect(output.contains(reason) && output.contains("each image with it gets another id"), "\(output)")
            #expect(try faults() == "")
            let ids = try Shell.run("jq -r '.[] | .RepoTags[0] + \" \" + .Config' '\(unpacked)/manifest.json' | sort")
            #expect(ids.contains("base:1 blobs/sha256/f68510d0") && ids.contains("built:v1"), "\(ids)")
            #expect(!ids.contains("built:v1 blobs/sha256/ce53bfb0"))
        }
    }

    @Test func savesALayerWhoseRecordIsLost() throws {
        try Shell.run("rm '\(fixture.scratch.path)'/image/devicemapper/layerdb/sha256/3742*/tar-split.json.gz")
        let (status, output) = try save("fixture/chain:v3")
        #expect(status == 0 && output.contains("tar-split.json.gz: No such file"), "\(output)")
        #expect(try faults() == "")
        // Nothing but the times of deletions differs from what Docker saved.
        try Shell.run(
            """
            set -e
            cd '\(fixture.scratch.path)'
            mkdir recorded && tar -C recorded -xf '\(DockerRootFixture.files)/save-all.tar.xz'
            old=$(jq -r '.[] | select(.RepoTags[0] == "fixture/chain:v3") | .Layers[2]' recorded/manifest.json)
            new=$(jq -r '.[0].Layers[2]' unpacked/manifest.json)
            list="python3 '\(DockerRootFixture.files)/archive.py'"
            select='del(.attributes)'
            eval "$list" < recorded/$old | jq -c "$select" | sort > a
            eval "$list" < unpacked/$new | jq -c "$select" | sort > b
            diff a b
            """)
    }

    /// Messages name the images that cannot be saved, and the others are saved.
    @Test func savesWhatCanBeSaved() throws {
        try Shell.run("cd '\(fixture.scratch.path)' && cp -a devicemapper/metadata image '\(try keep())'")
        for (damage, count, named) in [
            ("rm metadata/a6f81e06*", 1, "a6f81e06"), ("printf '{' > $(ls metadata/a6f81e06*)", 1, "a6f81e06"),
            ("sed -i 's/\"device_id\":22,/\"device_id\":4000,/' metadata/a6f81e06*", 1, "a6f81e06"),
            ("rm -r ../image/devicemapper/layerdb/sha256/e08a*", 1, "diff is missing"),
            ("printf '{' > ../image/devicemapper/repositories.json", 2, "cannot be understood"),
            ("rm ../image/devicemapper/imagedb/content/sha256/ce53bfb0*", 0, "there is no image ce53bfb0"),
            ("rm metadata/*", 0, "holds no store"),
        ] {
            try Shell.run("set -e; cd '\(fixture.root)'; \(damage)")
            // The data has two gigabytes, and another test compares it.
            let before = try digest(leavingOut: "data")
            if count > 0 {
                let (status, output) = try save("f68510d0 ce53bfb0")
                #expect(status == (count == 2 ? 0 : 1) && output.contains(named), "\(damage): \(output)")
                #expect(try Shell.run("jq length '\(unpacked)/manifest.json'") == "\(count)", "\(damage): \(output)")
                #expect(try faults() == "")
                try Shell.run("rm '\(archive)'")
            } else {
                let (status, output) = try fixture.runForStatus("--read-only image save ce53bfb0 --output '\(archive)'")
                #expect(status == 1 && output.contains(named), "\(damage): \(output)")
                #expect(try Shell.run("ls '\(archive)' 2> /dev/null || true") == "")
            }
            #expect(try digest(leavingOut: "data") == before, "\(damage)")
            try Shell.run(
                """
                set -e
                cd '\(fixture.scratch.path)'
                rm -rf devicemapper/metadata image
                cp -a '\(try keep())/metadata' devicemapper; cp -a '\(try keep())/image' .
                """)
        }
    }

    /// A folder for copies of the files that a test damages.
    private func keep() throws -> FilePath {
        let folder = fixture.scratch.appending("kept")
        try Shell.run("mkdir -p '\(folder)'")
        return folder
    }

    @Test func refusesWhatIsNotThere() throws {
        for (arguments, reason) in [
            ("image save none:1", "there is no image none:1"), ("container save none", "there is no container none"),
            ("image inspect none", "there is no image none"),
        ] {
            let output = arguments.contains("inspect") ? "" : " --output '\(archive)'"
            let (status, said) = try fixture.runForStatus("--read-only \(arguments)\(output)")
            #expect(status == 1 && said.contains(reason), "\(said)")
            #expect(try Shell.run("ls '\(archive)' 2> /dev/null || true") == "")
        }
    }

    /// The archive of a container without a change has no layer more than its image, as Docker's commit makes it.
    @Test func savesContainers() throws {
        let (status, output) = try fixture.runForStatus(
            "--read-only container save c1 c2 --output '\(archive)'")
        #expect(status == 0 && output.contains("c2 has the volume f7f0a980"), "\(output)")
        try Shell.run("mkdir '\(unpacked)'; tar -C '\(unpacked)' -xf '\(archive)'")
        #expect(try faults() == "")
        #expect(
            try Shell.run("jq -c '.[] | [.RepoTags, (.Layers | length)]' '\(unpacked)/manifest.json'")
                == #"[["container/c1:latest"],5]"# + "\n" + #"[["container/c2:latest"],5]"#)
        let history = try Shell.run(
            """
            cd '\(unpacked)'
            jq -c '.history[-1] | [.empty_layer, .comment]' $(jq -r '.[].Config' manifest.json)
            """)
        #expect(history == "[null,\"container c1\"]\n[true,\"container c2\"]")
    }
}
#endif
