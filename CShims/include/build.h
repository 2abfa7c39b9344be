// The commit from which the program was built: the manifest hands it to the C preprocessor, which Swift does not have.
#ifndef CSHIMS_BUILD_H
#define CSHIMS_BUILD_H

// The commit in hexadecimal, with "+" behind it where files were changed; empty outside of a repository.
const char *dmshim_build_commit(void);

#endif
