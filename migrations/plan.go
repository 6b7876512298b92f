package migrations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A schema is all that a plan depends on: the two tables and the record of what was done.
type schema struct {
	tables   [2]*table
	recorded bool // the version table is there
	versions []int64
}

func (m *Migrator) inspect(ctx context.Context) (*schema, error) {
	var s schema
	err := m.retry(ctx, func() error {
		s = schema{}
		for kind, name := range m.names {
			t, err := m.engine.inspect(ctx, m.db, name, indexName(name))
			if err != nil {
				return fmt.Errorf("inspect table %s: %w", name, err)
			}
			t.kind = kind
			t.compare(m.engine)
			s.tables[kind] = t
		}
		if err := m.db.GetContext(ctx, &s.recorded, m.queries().TableExists(m.versions)); err != nil {
			return fmt.Errorf("look for table %s: %w", m.versions, err)
		}
		if !s.recorded {
			return nil
		}
		if err := m.db.SelectContext(ctx, &s.versions, m.queries().versions(m.versions)); err != nil {
			return fmt.Errorf("read table %s: %w", m.versions, err)
		}
		return nil
	})
	return &s, err
}

func (s *schema) done(version int64) bool { return slices.Contains(s.versions, version) }

// mark is the comment of a table that larder created. It names the version table, so that of two migrators which share a table only
// the one that created it takes it for its own.
func (m *Migrator) mark() string { return "created by larder, see " + m.versions }

func (m *Migrator) created(t *table) bool { return !t.missing && t.comment == m.mark() }

// A work is what is to be done, in order.
type work struct {
	up     bool
	schema *schema

	createVersions bool      // make the version table
	zero           bool      // write the row with which goose begins a version table
	forget         []int64   // remove these versions from the record, because their steps are needed again
	record         []int64   // add these versions to the record, because goose undoes only what is recorded
	steps          []pending // then these, each with the change of its record

	queries versionQueries
	table   string // the version table
}

// A pending step is one whose record is to change. If it is not active, its file is served without statements: there is nothing
// to do here, and goose writes down that it is done.
type pending struct {
	step
	version   int64
	text      string // of the file, filled in
	statement string // "" if not active
	why       string
}

func (w *work) empty() bool {
	return !w.createVersions && !w.zero && len(w.record)+len(w.forget)+len(w.steps) == 0
}

// planUp decides what Up has to do.
func (m *Migrator) planUp(ctx context.Context) (*work, error) {
	s, err := m.inspect(ctx)
	if err != nil {
		return nil, err
	}
	if err := m.refusal(s); err != nil {
		return nil, err
	}
	w := &work{up: true, schema: s, createVersions: !s.recorded, zero: len(s.versions) == 0, queries: m.queries(), table: m.versions}
	for i, step := range m.engine.steps {
		version, t := int64(i+1), s.tables[step.table]
		needed := t.needs(step.task)
		if s.done(version) {
			if !needed {
				continue
			}
			w.forget = append(w.forget, version)
		}
		p, err := m.pending(version, t, needed, "Up")
		if err != nil {
			return nil, err
		}
		if needed {
			p.why = t.why(step.task)
		}
		w.steps = append(w.steps, p)
	}
	return w, nil
}

// planDown decides what Down has to do.
func (m *Migrator) planDown(ctx context.Context) (*work, error) {
	s, err := m.inspect(ctx)
	if err != nil {
		return nil, err
	}
	w := &work{schema: s, queries: m.queries(), table: m.versions}
	if slices.ContainsFunc(s.versions, func(v int64) bool { return v > int64(len(m.engine.steps)) }) {
		return nil, ErrNewer
	}
	for i, step := range slices.Backward(m.engine.steps) {
		version, t := int64(i+1), s.tables[step.table]
		drop := step.task == create && m.created(t)
		if !s.done(version) {
			if !drop {
				continue
			}
			w.record = append(w.record, version)
		}
		p, err := m.pending(version, t, drop, "Down")
		if err != nil {
			return nil, err
		}
		if drop {
			p.why = fmt.Sprintf("larder created table %s", t.name)
		}
		w.steps = append(w.steps, p)
	}
	if len(w.record) > 0 {
		w.createVersions, w.zero = !s.recorded, len(s.versions) == 0
	}
	return w, nil
}

// refusal returns a ShapeError if a table is none that Laravel makes.
func (m *Migrator) refusal(s *schema) error {
	var e ShapeError
	for _, t := range s.tables {
		if t.has(Refused) {
			e.Tables = append(e.Tables, m.tableStatus(s, t))
		}
	}
	if len(e.Tables) > 0 {
		return &e
	}
	return nil
}

// confirm returns a ConfirmError if there is a table to drop.
func (w *work) confirm() error {
	var e ConfirmError
	for _, p := range slices.Backward(w.steps) {
		if p.statement != "" {
			e.Tables = append(e.Tables, w.schema.tables[p.table].name)
		}
	}
	if len(e.Tables) > 0 {
		return &e
	}
	return nil
}

// pending reads a step's file and fills it in.
func (m *Migrator) pending(version int64, t *table, active bool, section string) (pending, error) {
	p := pending{step: m.engine.steps[version-1], version: version, text: noStatements}
	if !active {
		return p, nil
	}
	raw, err := fs.ReadFile(m.engine.files, p.file)
	if err != nil {
		return pending{}, err
	}
	p.text = m.fillIn(string(raw), t, p.task)
	p.statement = statement(p.text, section)
	return p, nil
}

// noStatements is a file that does nothing. Its record still changes.
const noStatements = "-- +goose Up\n-- +goose Down\n"

// fillIn replaces the placeholders of a file. Names come from options, which allow nothing that needs quoting; the rest comes
// from the server's own description of the table.
func (m *Migrator) fillIn(text string, t *table, do task) string {
	changed := "expiration"
	if do == widenValue {
		changed = "value"
	}
	c, _ := t.column(changed)
	comment := ""
	if c.Comment != "" {
		comment = " COMMENT '" + quote(c.Comment) + "'"
	}
	return strings.NewReplacer(
		"{{table}}", t.name,
		"{{index}}", t.indexName,
		"{{mark}}", m.mark(),
		"{{charset}}", c.Charset,
		"{{collation}}", c.Collation,
		"{{comment}}", comment,
	).Replace(text)
}

// statement returns the statement of one section of a file, as goose cuts it out.
func statement(text, section string) string {
	_, text, _ = strings.Cut(text, "-- +goose "+section+"\n")
	text, _, _ = strings.Cut(text, "-- +goose Down\n")
	var lines []string
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "--") {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, ""))
}

// stepFiles is the folder of migrations that goose sees: the embedded one, with the text of each planned step filled in. A step
// that is not planned cannot be opened, and so never runs with its placeholders in it.
type stepFiles struct {
	fs.FS
	filled map[string]string
}

func (f stepFiles) Open(name string) (fs.File, error) {
	text, ok := f.filled[name]
	if !ok && path.Ext(name) == ".sql" {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("this step is not planned")}
	}
	file, err := f.FS.Open(name)
	if err != nil || !ok {
		return file, err
	}
	return filledFile{file, strings.NewReader(text)}, nil
}

type filledFile struct {
	fs.File
	text io.Reader
}

func (f filledFile) Read(p []byte) (int, error) { return f.text.Read(p) }

// A Plan lists the statements that would run, in order.
type Plan struct {
	Statements []Statement `json:"statements"`
}

// A Statement is one SQL statement and the reason for it.
type Statement struct {
	SQL string `json:"sql"` // ends with a semicolon
	Why string `json:"why"` // one line
}

// String returns the plan as a script.
func (p *Plan) String() string {
	if len(p.Statements) == 0 {
		return "-- nothing to do\n"
	}
	var b strings.Builder
	for _, s := range p.Statements {
		fmt.Fprintf(&b, "-- %s\n%s\n\n", strings.ReplaceAll(s.Why, "\n", " "), s.SQL)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// plan returns the statements that carrying out the work runs.
func (w *work) plan() *Plan {
	p := &Plan{Statements: []Statement{}}
	add := func(why, sql string, args ...string) {
		for _, a := range args {
			sql = strings.Replace(sql, "?", a, 1)
		}
		p.Statements = append(p.Statements, Statement{SQL: strings.TrimSuffix(sql, ";") + ";", Why: why})
	}
	number := func(version int64) string { return strconv.FormatInt(version, 10) }
	if w.createVersions {
		add("larder's record of what was done", w.queries.CreateTable(w.table))
	}
	if w.zero {
		add("goose begins its record with a zero", w.queries.InsertVersion(w.table), "0", "1")
	}
	for _, v := range w.forget {
		add(fmt.Sprintf("step %d was done once and is needed again", v), w.queries.DeleteVersion(w.table), number(v))
	}
	for _, v := range w.record {
		add(fmt.Sprintf("step %d was done and not recorded", v), w.queries.InsertVersion(w.table), number(v), "1")
	}
	for _, s := range w.steps {
		if s.statement != "" {
			add(s.why, s.statement)
		}
		switch {
		case !w.up:
			add("step "+s.name()+" is undone", w.queries.DeleteVersion(w.table), number(s.version))
		case s.statement != "":
			add("step "+s.name()+" is done", w.queries.InsertVersion(w.table), number(s.version), "1")
		default:
			add("step "+s.name()+" needs nothing here", w.queries.InsertVersion(w.table), number(s.version), "1")
		}
	}
	return p
}
