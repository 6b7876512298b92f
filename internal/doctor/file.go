package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// checkFile is checkWritable for SQLite, which the file refuses or its folder.
func checkFile(ctx context.Context, e *exam) ([]Finding, error) {
	file := e.server.File
	if file == "" {
		return none()
	}
	rights, err := e.Store.Rights(ctx)
	if err != nil {
		return nil, err
	}
	folder := filepath.Dir(file)
	switch {
	case rights[0].Denied != nil || rights[1].Denied != nil || mayWrite(file) != nil: // the last is of one without tables yet
		return one(problem(allowWriting(file), "%s may not write %s", whoami(), file))
	case mayWrite(folder) != nil:
		return one(warning(allowWriting(folder), "%s may write %s and not its folder: SQLite cannot open it once the -wal and -shm that are there now are gone", whoami(), file))
	}
	return one(ok("%s and its folder can be written", file))
}

// closedFile finds what of a SQLite file that cannot be opened keeps it from being, nil if it is something else. SQLite writes beside the file also
// for those who only read.
func (e *exam) closedFile() *Finding {
	file, isFile := strings.CutPrefix(e.Config.Database.Value, "sqlite:")
	if !isFile {
		return nil
	}
	file = strings.TrimPrefix(file, "//")
	if _, err := os.Stat(file); err != nil && !errors.Is(err, fs.ErrPermission) {
		return nil
	}
	what := file
	if mayWrite(file) == nil {
		if what = filepath.Dir(file); mayWrite(what) == nil {
			return nil
		}
	}
	f := problem(allowWriting(what), "%s may not write %s: SQLite opens %s only for who may write it and its folder, where it keeps its log", whoami(), what, file)
	return &f
}

// allowWriting is what to do about a file or a folder that this user may not write: mostly larder runs as the wrong one.
func allowWriting(path string) string {
	quoted := ShellQuote(path)
	me, owner := whoami(), ownerOf(path)
	switch {
	case owner == "":
		return "allow this user to write " + path
	case owner == me:
		return "chmod u+rwX " + quoted
	}
	return fmt.Sprintf("sudo -u %s larder doctor    # as the user whose it is, and as whom PHP should run; or: sudo chown %s %s", ShellQuote(owner), ShellQuote(me), quoted)
}
