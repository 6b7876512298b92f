package migrations

import (
	"fmt"
	"slices"
	"strings"
)

// A State says what a table is to larder.
type State string

const (
	// Missing is a table that is not there.
	Missing State = "missing"
	// Created is a table that larder made. Down drops it.
	Created State = "created"
	// Adopted is a table that somebody else made, and that Up has accepted. Down leaves it.
	Adopted State = "adopted"
	// Found is a table that somebody else made, and that Up has not seen yet.
	Found State = "found"
	// Foreign is a table that Up refuses.
	Foreign State = "foreign"
)

// A TableStatus tells what a table is like.
type TableStatus struct {
	Name        string       `json:"name"`
	State       State        `json:"state"`
	Era         string       `json:"era,omitempty"`       // which Laravel makes such a table: "Laravel 5.5.22 to 8.50"; "" if none does
	Collation   string       `json:"collation,omitempty"` // of the key column, where the engine has some
	Differences []Difference `json:"differences"`         // from what Laravel 13 makes
}

// A Status tells what the tables are like and what is still to be done.
type Status struct {
	Tables       []TableStatus `json:"tables"` // the cache table, then the lock table
	VersionTable string        `json:"version_table"`
	Applied      []int64       `json:"applied"` // the steps that are recorded as done
	Pending      []string      `json:"pending"` // the steps that Up has yet to do or to record
}

// UpToDate tells whether Up would find nothing to do.
func (s *Status) UpToDate() bool {
	return len(s.Pending) == 0 && !slices.ContainsFunc(s.Tables, func(t TableStatus) bool { return t.State == Foreign })
}

// String returns the status as lines of text.
func (s *Status) String() string {
	var b strings.Builder
	for _, t := range s.Tables {
		fmt.Fprintf(&b, "%s: %s", t.Name, t.State.describe())
		if t.Era != "" {
			fmt.Fprintf(&b, ", of the shape that %s makes", t.Era)
		}
		b.WriteString("\n")
		for _, d := range t.Differences {
			fmt.Fprintf(&b, "  - %s%s\n", d.Text, d.Outcome.describe())
		}
	}
	if len(s.Pending) == 0 {
		fmt.Fprintf(&b, "%s: %d steps done, none to do\n", s.VersionTable, len(s.Applied))
	} else {
		fmt.Fprintf(&b, "%s: %d steps done, to do: %s\n", s.VersionTable, len(s.Applied), strings.Join(s.Pending, ", "))
	}
	return b.String()
}

func (s State) describe() string {
	switch s {
	case Missing:
		return "missing; `larder migrate` creates it"
	case Created:
		return "created by larder"
	case Found:
		return "there, not yet adopted"
	case Foreign:
		return "not a table that Laravel makes; `larder migrate` refuses it"
	default:
		return string(s)
	}
}

func (o Outcome) describe() string {
	switch o {
	case Cured:
		return "; `larder migrate` changes it"
	case Kept:
		return "; stays as it is"
	default:
		return ""
	}
}

func (m *Migrator) status(s *schema) *Status {
	status := &Status{VersionTable: m.versions, Applied: []int64{}, Pending: []string{}}
	for _, t := range s.tables {
		status.Tables = append(status.Tables, m.tableStatus(s, t))
	}
	for _, v := range s.versions {
		if v > 0 {
			status.Applied = append(status.Applied, v)
		}
	}
	for i, step := range m.engine.steps {
		if version := int64(i + 1); !s.done(version) || s.tables[step.table].needs(step.task) {
			status.Pending = append(status.Pending, step.name())
		}
	}
	return status
}

func (m *Migrator) tableStatus(s *schema, t *table) TableStatus {
	status := TableStatus{Name: t.name, Era: t.era, Differences: append([]Difference{}, t.differences...)}
	if key, ok := t.column("key"); ok {
		status.Collation = key.Collation
	}
	switch {
	case t.has(Refused):
		status.State = Foreign
	case t.missing:
		status.State = Missing
	case m.created(t):
		status.State = Created
	case s.done(m.engine.creation(t.kind)):
		status.State = Adopted
	default:
		status.State = Found
	}
	return status
}

// A Result says what Up or Down did to a table.
type Result string

const (
	// TableCreated says that Up created the table.
	TableCreated Result = "created"
	// TableAdopted says that Up met the table for the first time.
	TableAdopted Result = "adopted"
	// TableChanged says that Up changed a table which it knew already.
	TableChanged Result = "changed"
	// TableUpToDate says that there was nothing to do.
	TableUpToDate Result = "up to date"
	// TableDropped says that Down dropped the table.
	TableDropped Result = "dropped"
	// TableLeft says that Down left the table, because larder did not create it.
	TableLeft Result = "left"
	// TableMissing says that Down found no such table.
	TableMissing Result = "missing"
)

// A TableReport tells what was done to a table.
type TableReport struct {
	Name    string   `json:"name"`
	Result  Result   `json:"result"`
	Era     string   `json:"era,omitempty"` // which Laravel made an adopted table
	Changes []string `json:"changes"`       // what was changed of a table that was there before
}

// A Report tells what Up or Down did.
type Report struct {
	Tables []TableReport `json:"tables"` // the cache table, then the lock table
}

// reportUp tells what Up did. It goes by what the tables were and are, and not by the statements that were run, because the answer
// to a statement may have been lost.
func (m *Migrator) reportUp(o *outcome) *Report {
	r := &Report{}
	for _, now := range o.now.tables {
		before := o.before.tables[now.kind]
		table := TableReport{Name: now.name, Result: TableUpToDate, Changes: []string{}}
		if before.missing && m.created(now) {
			table.Result = TableCreated
			r.Tables = append(r.Tables, table)
			continue
		}
		for _, step := range m.engine.steps {
			if step.table == now.kind && step.task != create && before.needs(step.task) {
				table.Changes = append(table.Changes, step.task.done(now))
			}
		}
		if known := o.before.done(m.engine.creation(now.kind)); !known && !m.created(now) {
			table.Result, table.Era = TableAdopted, before.era
		} else if len(table.Changes) > 0 {
			table.Result = TableChanged
		}
		r.Tables = append(r.Tables, table)
	}
	return r
}

// reportDown tells what Down did.
func reportDown(o *outcome) *Report {
	r := &Report{}
	for _, t := range o.now.tables {
		table := TableReport{Name: t.name, Result: TableLeft, Changes: []string{}}
		if t.missing {
			table.Result = TableMissing
			if !o.before.tables[t.kind].missing {
				table.Result = TableDropped
			}
		}
		r.Tables = append(r.Tables, table)
	}
	return r
}

// String returns the report as lines of text.
func (r *Report) String() string {
	var b strings.Builder
	for _, t := range r.Tables {
		fmt.Fprintf(&b, "%s: %s", t.Name, t.Result)
		if t.Era != "" {
			fmt.Fprintf(&b, " (of the shape that %s makes)", t.Era)
		}
		if t.Result == TableLeft {
			b.WriteString(" as it is, because larder did not create it")
		}
		b.WriteString("\n")
		for _, c := range t.Changes {
			fmt.Fprintf(&b, "  - %s\n", c)
		}
	}
	return b.String()
}
