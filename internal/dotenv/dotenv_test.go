package dotenv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// environment is what the tests see of the real one.
func environment(name string) (string, bool) {
	value, ok := map[string]string{"REAL": "real", "BLANK": "", "BOTH": "environment"}[name]
	return value, ok
}

// The expected values were checked against vlucas/phpdotenv 5.6.4.
func TestParse(t *testing.T) {
	for _, tt := range []struct {
		claim, text, name, want string
	}{
		{"plain value", "A=b", "A", "b"},
		{"blank value", "A=", "A", ""},
		{"byte order mark", "\ufeffA=b", "A", "b"},
		{"CRLF", "A=b\r\nB=c\r\n", "B", "c"},
		{"CR alone", "A=b\rB=c", "B", "c"},
		{"LF after CR LF", "A=1\r\n\nB=c", "B", "c"},
		{"blank lines and comments", "\n  \n# A=x\n  # A=y\nA=b", "A", "b"},
		{"spaces around name and equals sign", "  A  =  b  ", "A", "b"},
		{"export", "export AB=b", "AB", "b"},
		{"export and many spaces", "export \t AB=b", "AB", "b"},
		{"name in double quotes", `"A"=b`, "A", "b"},
		{"name in single quotes", `'A'=b`, "A", "b"},
		{"name with a dot and a digit", "app.1_x=b", "app.1_x", "b"},
		{"name with letters that are not ASCII", "Größe=b", "Größe", "b"},
		{"first equals sign splits", "A=b=c", "A", "b=c"},
		{"last duplicate wins", "A=b\nA=c", "A", "c"},

		{"unquoted ends at white space before a comment", "A=b # c", "A", "b"},
		{"unquoted ends at # in a word", "A=pa#ss", "A", "pa"},
		{"unquoted that is a comment", "A=#b", "A", ""},
		{"unquoted backslash is literal", `A=a\nb\`, "A", `a\nb\`},
		{"unquoted inner quotes are literal", `A=a"b'c`, "A", `a"b'c`},
		{"unquoted $NAME is literal", "A=$REAL", "A", "$REAL"},

		{"form feeds that begin a value", "A=\f\v b", "A", "\f\v b"},
		{"a no-break space is a character", "A=\u00a0 # c", "A", "\u00a0"},
		{"a wide space in a word", "A=b\u3000c", "A", "b\u3000c"},

		{"single quotes are literal", `A='a\n#$b ${REAL}"'`, "A", `a\n#$b ${REAL}"`},
		{"single quotes and a comment", `A='b' # c`, "A", "b"},
		{"blank single quotes", `A=''`, "A", ""},

		{"double quotes", `A="b c"`, "A", "b c"},
		{"double quotes and a comment", `A="b" #c`, "A", "b"},
		{"# in double quotes", `A="pa#ss"`, "A", "pa#ss"},
		{"every escape", `A="\"\\\$\n\r\t\f\v"`, "A", "\"\\$\n\r\t\f\v"},
		{"escaped dollar is not expanded", `A="\${REAL}"`, "A", "${REAL}"},
		{"several lines", "A=\"b\nc\r\nd\"\nB=x", "A", "b\nc\nd"},
		{"after several lines", "A=\"b\nc\"\nB=x", "B", "x"},
		{"several lines that close on a lone quote", "A=\"b\n\"\nB=x", "A", "b\n"},
		{"a comment that opens a quote swallows up to the next", "#A=\"b\nA=c\"\nB=x", "B", "x"},

		{"expansion from the environment", "A=x${REAL}y", "A", "xrealy"},
		{"expansion in double quotes", `A="x ${REAL}"`, "A", "x real"},
		{"expansion from an earlier line", "B=b\nA=${B}", "A", "b"},
		{"the environment wins over an earlier line", "BOTH=file\nA=${BOTH}", "A", "environment"},
		{"blank in the environment is set", "A=x${BLANK}y", "A", "xy"},
		{"unknown stays as it is", "A=${NONE}", "A", "${NONE}"},
		{"a later line is unknown", "A=${B}\nB=b", "A", "${B}"},
		{"an expanded value is not expanded again", "B='${REAL}'\nA=${B}", "A", "${REAL}"},
		{"inner name first", "B=EAL\nA=${R${B}}", "A", "real"},
		{"a reference with a space is none", `A="${B C}"`, "A", "${B C}"},

		{"bytes that are not UTF-8", "A=\xff\xfe", "A", "??"},
		{"a replacement character stays", "A=\ufffd\xff", "A", "\ufffd?"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			vars, err := Parse([]byte(tt.text), environment)
			if err != nil {
				t.Fatalf("Parse(%q): %v", tt.text, err)
			}
			if got, ok := vars.Lookup(tt.name); got != tt.want || !ok {
				t.Errorf("Parse(%q): %s is %q, %v; want %q", tt.text, tt.name, got, ok, tt.want)
			}
		})
	}
}

func TestParse_NameWithoutEqualsSignUnsets(t *testing.T) {
	vars, err := Parse([]byte("AB=1\nB=2\nexport AB\nB"), nil)
	if err != nil || len(vars) != 0 {
		t.Errorf("got %v, %v; want no variables", vars, err)
	}
}

func TestParse_KeepsTheLineOfTheDefinition(t *testing.T) {
	vars, err := Parse([]byte("# c\nA=\"x\ny\"\r\nB=1\nA=2\n"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if vars["A"].Line != 5 || vars["B"].Line != 4 {
		t.Errorf("got %v; want A on line 5 and B on line 4", vars)
	}
}

func TestParse_Errors(t *testing.T) {
	const secret = "S3cret"
	for _, tt := range []struct {
		claim, text string
		line        int
		msg         string
	}{
		{"white space in an unquoted value", "X=1\nA=My S3cret", 2, "unexpected whitespace"},
		{"white space after a no-break space", "A=\u00a0 S3cret", 1, "unexpected whitespace"},
		{"white space after a wide space", "A=\u3000 S3cret", 1, "unexpected whitespace"},
		{"white space after form feeds and a character", "A=\f S3cret S3cret", 1, "unexpected whitespace"},
		{"text after a closing quote", `A="S3cret"S3cret`, 1, "unexpected whitespace"},
		{"text after a closing single quote", `A='S3cret' S3cret`, 1, "unexpected whitespace"},
		{"unknown escape", `A="S3cret\x"`, 1, "escape sequence"},
		{"escaped quote in single quotes", `A='S3cret\'S3cret'`, 1, "unexpected whitespace"},
		{"single quote that is not closed", "A='S3cret", 1, "closing quote is missing"},
		{"double quote that is not closed", "X=1\nA=\"S3cret\nB=2\n", 2, "never closed"},
		{"single quotes cannot span lines", "A='S3cret\nS3cret'", 1, "closing quote is missing"},
		{"no name", "=S3cret", 1, "equals sign"},
		{"space in a name", "S3cret X=1", 1, "not a variable's name"},
		{"dash in a name", "A-B=S3cret", 1, "not a variable's name"},
		{"letters without case", "密码=S3cret", 1, "not a variable's name"},
		{"a line of text", "\n\nS3cret text", 3, "not a variable's name"},
		{"export of one letter, which phpdotenv does not know", "export A=S3cret", 1, "not a variable's name"},
		{"the line of a value of several lines is its first", "X=1\n\nA=\"S3cret\n\\x\"", 3, "escape sequence"},
	} {
		t.Run(tt.claim, func(t *testing.T) {
			_, err := Parse([]byte(tt.text), environment)
			parseErr, ok := errors.AsType[*ParseError](err)
			if !ok || parseErr.Line != tt.line || !strings.Contains(parseErr.Msg, tt.msg) {
				t.Fatalf("Parse(%q): got error %v; want line %d: ...%s...", tt.text, err, tt.line, tt.msg)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error contains the secret: %v", err)
			}
		})
	}
}

func TestParse_ValuesThatDoubleEachOtherEnd(t *testing.T) {
	text := strings.Repeat("A=${A}${A}x\n", 64)
	if _, err := Parse([]byte("A=x\n"+text), nil); err == nil || !strings.Contains(err.Error(), "1 MiB") {
		t.Errorf("got %v; want an error about the size", err)
	}
}

func TestReadFile(t *testing.T) {
	name := filepath.Join(t.TempDir(), ".env")
	if _, err := ReadFile(name, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v; want fs.ErrNotExist", err)
	}
	if err := os.WriteFile(name, []byte("A=1\nB=2 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(name, nil); err == nil || !strings.HasPrefix(err.Error(), name+":2: ") {
		t.Errorf("got %v; want the file's name and line 2", err)
	}
}

// The expected values are those of Illuminate\Support\Env::get.
func TestEnv(t *testing.T) {
	for _, tt := range []struct {
		value  string
		kind   Kind
		string string
	}{
		{"true", Bool, "1"},
		{"(True)", Bool, "1"},
		{"false", Bool, ""},
		{"(FALSE)", Bool, ""},
		{"empty", String, ""},
		{"(empty)", String, ""},
		{"null", Null, ""},
		{"(Null)", Null, ""},
		{"", String, ""},
		{"laravel", String, "laravel"},
		{" null", String, " null"},
		{`"quoted"`, String, "quoted"},
		{`'quoted'`, String, "quoted"},
		{`""`, String, ""},
		{`"null"`, String, "null"},
		{`"a'`, String, `"a'`},
		{`"`, String, `"`},
		{`""a""`, String, `"a"`},
		{"\"a\nb\"", String, "\"a\nb\""},
	} {
		if got := Env(tt.value, true); got.Kind != tt.kind || got.String() != tt.string || got.Or("default") != tt.string {
			t.Errorf("Env(%q) = %v, %q; want %v, %q", tt.value, got.Kind, got, tt.kind, tt.string)
		}
	}
	if got := Env("x", false); got.Kind != Absent || got.String() != "" || got.Or("default") != "default" {
		t.Errorf("an absent variable is %v, %q, %q; want Absent and the default", got.Kind, got, got.Or("default"))
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"", "A=b\n", "\ufeffexport AB='c' # d\r\n", "A=\"x\ny\\n${REAL}\"", "A=${B${REAL}}", "A='", "A=\"", "=", "A", "A=\"\\\"", "\"A\"=\f\f x", "A=\xff#\r", "A=${A}${A}\nA=${A}${A}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		vars, err := Parse(data, environment)
		if err != nil {
			parseErr, ok := errors.AsType[*ParseError](err)
			if !ok || parseErr.Line < 1 || vars != nil {
				t.Fatalf("got %v, %#v; want only a *ParseError with a line", vars, err)
			}
			return
		}
		for name, v := range vars {
			if name == "" || v.Line < 1 || len(v.Value) > max(maxValue, len(data)) {
				t.Fatalf("variable %q: %d bytes, line %d", name, len(v.Value), v.Line)
			}
		}
	})
}
