//go:build !unix

package workers

import (
	"errors"
	"os"
)

// freeze and thaw fail: this system has no signals for that.
func freeze(*os.Process) error { return errors.ErrUnsupported }

func thaw(*os.Process) error { return errors.ErrUnsupported }
