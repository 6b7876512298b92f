package term

import (
	"io"
	"strings"
)

// A Column is one of a table. The last one is not padded.
type Column struct {
	Title string
	Right bool // numbers end below each other

	// Least is how many columns of the terminal are left to it when the table does not fit; 0 for one that is never cut. The widest such
	// column is cut first.
	Least  int
	Middle bool // cut in the middle, not at the end
}

// A Cell is one text of a table. On a terminal it is made [Safe].
type Cell struct {
	Text  string
	Style Style
}

// A Table aligns rows. On a terminal no line of it is wider than that; elsewhere nothing is cut.
type Table struct {
	out     io.Writer
	output  Output
	columns []Column
	rows    [][]Cell
	titled  bool
}

// NewTable returns a table that Flush writes to w, which is the output o.
func NewTable(w io.Writer, o Output, columns ...Column) *Table {
	return &Table{out: w, output: o, columns: columns}
}

// Add adds a row, which has a cell for each column.
func (t *Table) Add(cells ...Cell) {
	if t.output.Terminal {
		for i := range cells {
			cells[i].Text = Safe(cells[i].Text)
		}
	}
	t.rows = append(t.rows, cells)
}

// Len returns how many rows were added since the last Flush.
func (t *Table) Len() int { return len(t.rows) }

// Flush writes the rows that were added since the last one, below the titles the first time. It writes nothing if there never was a row.
func (t *Table) Flush() error {
	if len(t.rows) == 0 {
		return nil
	}
	widths := t.widths()
	var text strings.Builder
	if !t.titled {
		t.titled = true
		titles, any := make([]Cell, len(t.columns)), false
		for i, c := range t.columns {
			titles[i], any = Cell{c.Title, Title}, any || c.Title != ""
		}
		if any {
			t.line(&text, titles, widths)
		}
	}
	for _, row := range t.rows {
		t.line(&text, row, widths)
	}
	t.rows = t.rows[:0]
	_, err := io.WriteString(t.out, text.String())
	return err
}

const gap = 2 // columns between columns

// widths returns how wide each column is drawn.
func (t *Table) widths() []int {
	widths := make([]int, len(t.columns))
	total := gap * (len(t.columns) - 1)
	for i, c := range t.columns {
		widths[i] = Width(c.Title)
		for _, row := range t.rows {
			widths[i] = max(widths[i], Width(row[i].Text))
		}
		total += widths[i]
	}
	for t.output.Terminal && total > t.output.Width {
		widest := -1
		for i, c := range t.columns {
			if c.Least > 0 && widths[i] > c.Least && (widest < 0 || widths[i] > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break // line cuts the rest
		}
		widths[widest]--
		total--
	}
	return widths
}

func (t *Table) line(text *strings.Builder, cells []Cell, widths []int) {
	left := t.output.Width
	for len(cells) > 1 && cells[len(cells)-1].Text == "" {
		cells = cells[:len(cells)-1]
	}
	for i, c := range cells {
		shown, width, last := c.Text, widths[i], i == len(cells)-1
		if t.output.Terminal {
			fit := t.output.Fit
			if t.columns[i].Middle {
				fit = t.output.FitMiddle
			}
			width = min(width, left)
			shown = fit(shown, width)
		}
		pad := strings.Repeat(" ", max(0, width-Width(shown)))
		shown = t.output.Paint(shown, c.Style)
		switch {
		case t.columns[i].Right:
			text.WriteString(pad + shown)
		case last:
			text.WriteString(shown)
		default:
			text.WriteString(shown + pad)
		}
		if left -= width + gap; last || t.output.Terminal && left <= 0 {
			break
		}
		text.WriteString(strings.Repeat(" ", gap))
	}
	text.WriteByte('\n')
}
