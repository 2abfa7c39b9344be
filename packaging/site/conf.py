"""Makes a site of the pages of the repository with Sphinx; scripts/site calls it. The pages themselves say nothing of the site."""

project = html_title = "swift-devicemapper"

# The pages, in groups, as the navigation of each page shows them. A page that is missing here fails the build. README.md is the
# page at which a reader starts.
root_doc = "README"
GROUPS = {
    "Start": ["Overview <self>", "docs/installing", "docs/commands"],
    "containerd and Kubernetes": ["docs/containerd", "docs/kubernetes"],
    "Images and Docker": ["docs/images", "docs/failures"],
    "Pools": ["docs/direct-lvm", "docs/metadata", "docs/metadata-writing"],
    "Device mapper by name": ["docs/dm", "docs/dmsetup", "docs/targets"],
    "Operate": ["docs/troubleshooting", "docs/monitoring", "SECURITY"],
    "Inside": ["ARCHITECTURE", "CONTRIBUTING", "CHANGELOG", "docs/sandbox", "docs/benchmarks", "docs/stress", "docs/powercut",
               "docs/fuzzing"],
}

extensions = ["myst_parser", "sphinx.ext.githubpages"]
include_patterns = ["*.md", "docs/*.md"]
# These folders have no pages. Without this line Sphinx would read every folder, and build folders are large.
exclude_patterns = [".?*", "Benchmarks", "CShims", "Examples", "Fuzzers", "Sources", "Tests", "fixtures", "packaging", "scripts"]
# A link to a heading is checked, down to this level.
myst_heading_anchors = 4
# Plain text is no program of any language.
highlight_language = "text"
# A command is written as it is typed: two hyphens stay two hyphens, and quotation marks stay straight.
smartquotes = False

html_theme = "furo"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False


def add_navigation(_app, page, source):
    """Adds the table of all pages to the first one, where Sphinx wants it."""
    if page == root_doc:
        for group, pages in GROUPS.items():
            source[0] += "\n".join(["\n```{toctree}", ":hidden:", f":caption: {group}", "", *pages, "```\n"])


def setup(app):
    app.connect("source-read", add_navigation)
