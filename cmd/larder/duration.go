package main

import (
	"fmt"
	"time"

	"github.com/larder-cache/larder/internal/duration"
)

// A ttlFlag is a duration on the command line that is more than 0, as a time to live must be.
type ttlFlag time.Duration

func (t *ttlFlag) String() string { return flagText(time.Duration(*t)) }
func (t *ttlFlag) Type() string   { return "duration" }

func (t *ttlFlag) Set(text string) error {
	d, err := duration.Parse(text)
	if err == nil && d <= 0 {
		err = fmt.Errorf("want more than 0; %w", duration.ErrForm)
	}
	*t = ttlFlag(d)
	return err
}

// A waitFlag is a duration on the command line that may be 0, as a time to wait may be.
type waitFlag time.Duration

func (w *waitFlag) String() string { return flagText(time.Duration(*w)) }
func (w *waitFlag) Type() string   { return "duration" }

func (w *waitFlag) Set(text string) error {
	d, err := duration.Parse(text)
	if err == nil && d < 0 {
		err = fmt.Errorf("want 0 or more; %w", duration.ErrForm)
	}
	*w = waitFlag(d)
	return err
}

// flagText is a flag's default in its help, which has none for 0.
func flagText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return duration.Text(d)
}
