package config

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A file is larder.yaml: what it sets, and how to report what is wrong with it.
type file struct {
	name   string
	lookup func(string) (variable, bool)

	settings map[string]Setting
	apiKeys  []APIKey
	tokens   []Token
	taken    map[string]bool // the keys under tokens, also of those with errors

	reading  section // that is being read
	problems []problem
}

// A problem is something wrong on one line.
type problem struct {
	line int
	msg  string
	of   section // if a variable of this section is not set, and no more is wrong
}

func (f *file) failf(n *yaml.Node, format string, args ...any) {
	f.problems = append(f.problems, problem{line: n.Line, msg: fmt.Sprintf(format, args...)})
}

// unsetf reports a variable that is not set, or blank, which is wrong only for those who use the section that is being read.
func (f *file) unsetf(n *yaml.Node, format string, args ...any) {
	f.problems = append(f.problems, problem{n.Line, fmt.Sprintf(format, args...), f.reading})
}

// wrong is how many problems there are beside variables of sections.
func (f *file) wrong() int {
	n := 0
	for _, p := range f.problems {
		if p.of == "" {
			n++
		}
	}
	return n
}

func (f *file) at(n *yaml.Node) string { return fmt.Sprintf("%s:%d", f.name, n.Line) }

// loadConfigFile reads the file that --config or LARDER_CONFIG names, else larder.yaml if there is one. It reports whether there is no
// such file or it is YAML; what is wrong with its contents is among the loader's errors.
func (l *loader) loadConfigFile() bool {
	name, at := "larder.yaml", ""
	if given := l.flags.ConfigFile; given != nil {
		name, at = *given, "--config"
	} else if v, ok := l.env.lookup("LARDER_CONFIG"); ok && v.value != "" {
		name, at = v.value, v.at()
	}
	if name == "" {
		return true
	}
	data, err := os.ReadFile(l.path(name))
	switch {
	case errors.Is(err, fs.ErrNotExist) && at == "":
		return true
	case errors.Is(err, fs.ErrNotExist):
		l.failf("%s: %w; name an existing file", at, err)
		return false
	case err != nil:
		l.failf("cannot read the configuration: %w; make the file readable to this user, or name another with --config", err)
		return false
	}
	f := parseFile(name, data, l.env.lookup)
	for _, p := range f.problems {
		l.fail(p.of, fmt.Errorf("%s:%d: %s", f.name, p.line, p.msg))
	}
	l.file = f
	return f.settings != nil
}

// parseFile reads the contents of larder.yaml. If they are not YAML, settings is nil and there is one problem.
func parseFile(name string, data []byte, lookup func(string) (variable, bool)) *file {
	f := &file{name: name, lookup: lookup, taken: map[string]bool{}}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	err := dec.Decode(&doc)
	if err == nil {
		if err = dec.Decode(&second); err == nil {
			f.failf(&second, "a second document begins here; larder reads one, so remove the line ---")
			return f
		}
	}
	if !errors.Is(err, io.EOF) {
		f.problems = append(f.problems, syntaxProblem(err, data))
		return f
	}
	f.settings = map[string]Setting{}
	if len(doc.Content) > 0 && !isNull(doc.Content[0]) {
		f.root(doc.Content[0])
	}
	slices.SortFunc(f.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.msg, b.msg))
	})
	return f
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+): `)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
	yamlSign   = regexp.MustCompile(`'([^\w\s])'`)
)

// syntaxProblem tells what the YAML parser says, without the text that it may quote from the file.
func syntaxProblem(err error, data []byte) problem {
	p := problem{line: 1, msg: "this is not YAML: "}
	msg := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlAnchor.FindStringSubmatch(msg); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		p.line += bytes.Count(before, []byte("\n"))
		p.msg += "a value that begins with * must be in quotes"
		return p
	}
	if m := yamlLine.FindStringSubmatchIndex(msg); m != nil {
		p.line, _ = strconv.Atoi(msg[m[2]:m[3]])
		msg = msg[m[1]:]
	}
	msg = yamlSign.ReplaceAllString(msg, "$1") // did not find expected '-' indicator
	if quoted := strings.IndexAny(msg, "'\"`"); quoted >= 0 {
		msg = msg[:quoted] + "(text of the file)"
	}
	p.msg += msg
	return p
}

// rootKeys are the keys of larder.yaml.
var rootKeys = []string{"database", "prefix", "table", "lock_table", "listen", "log_level", "api_key", "api_keys", "tokens"}

// sectionOf says of which keys not every command uses the values.
var sectionOf = map[string]section{"api_key": ofAPIKeys, "api_keys": ofAPIKeys, "tokens": ofTokens}

func (f *file) root(n *yaml.Node) {
	f.mapping(n, "the file", rootKeys, func(key string, keyNode, value *yaml.Node) {
		f.reading = sectionOf[key]
		switch key {
		case "api_key":
			if text, ok := f.text(key, keyNode, value, false); ok {
				f.addAPIKey(keyNode, APIKey{Key: Secret(text), Roles: []Role{RoleAdmin}, single: true})
			}
		case "api_keys":
			f.readAPIKeys(keyNode, value)
		case "tokens":
			f.readTokens(value)
		default:
			text, ok := f.text(key, keyNode, value, key == "prefix")
			if !ok {
				text = "" // reported; the setting counts as set so that no other takes its place
			} else if msg := checks[key](text); msg != "" {
				f.failf(keyNode, "%s: %s", key, msg)
			}
			f.settings[key] = Setting{text, f.at(keyNode)}
		}
	})
}

// mapping calls visit for every entry of a mapping, with its key's node for the line, and reports duplicate keys and, unless known is
// nil, unknown ones.
func (f *file) mapping(n *yaml.Node, what string, known []string, visit func(key string, keyNode, value *yaml.Node)) {
	at := n
	n = deref(n)
	if n.Kind != yaml.MappingNode {
		f.failf(at, "%s: want keys with values, such as %s", what, exampleOf(known))
		return
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		keyNode, value := n.Content[i], n.Content[i+1]
		key := deref(keyNode).Value
		switch {
		case deref(keyNode).Kind != yaml.ScalarNode:
			f.failf(keyNode, "%s: a key must be plain text", what)
			continue
		case lines[key] != 0:
			f.failf(keyNode, "%s: duplicate key %s, which line %d sets already; remove one", what, quote(key), lines[key])
			continue
		case known != nil && !slices.Contains(known, key):
			f.failf(keyNode, "%s: unknown key %s%s", what, quote(key), suggest(key, known))
			continue
		}
		lines[key] = keyNode.Line
		visit(key, keyNode, value)
	}
}

func exampleOf(known []string) string {
	if len(known) == 0 {
		return "dingding_access_token: {source: dingtalk, ...}"
	}
	return known[0] + ": ..."
}

// text returns the value of a scalar with its ${NAME} replaced. A value that is no scalar, that is blank although it must not be, or
// that refers to a variable that is not set, is reported.
func (f *file) text(key string, keyNode, n *yaml.Node, mayBeBlank bool) (string, bool) {
	raw := deref(n)
	switch {
	case raw.Kind != yaml.ScalarNode:
		f.failf(keyNode, "%s: want one value, not a list or further keys", key)
		return "", false
	case isNull(raw) && mayBeBlank:
		f.failf(keyNode, `%s: there is no value; write %s: "" for the empty one`, key, key)
		return "", false
	}
	text, ok := f.expand(key, n)
	if ok && text == "" && !mayBeBlank {
		if raw.Value == "" || isNull(raw) {
			f.failf(keyNode, "%s: the value is blank; give one, or remove the line", key)
		} else {
			f.unsetf(n, "%s: %s is blank; give the variable a value, or remove the line", key, quote(raw.Value))
		}
		return "", false
	}
	return text, ok
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// deref follows an alias (*name) to its anchor.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

var (
	reference    = regexp.MustCompile(`\$?\$\{[^}]*\}?`)
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
)

// expand replaces ${NAME} by the environment's NAME; $${ stands for ${ itself.
func (f *file) expand(key string, n *yaml.Node) (string, bool) {
	raw := deref(n)
	if isNull(raw) {
		return "", true
	}
	ok := true
	text := reference.ReplaceAllStringFunc(raw.Value, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		name := strings.TrimSuffix(ref[2:], "}")
		if !strings.HasSuffix(ref, "}") || !variableName.MatchString(name) {
			f.failf(n, "%s: ${ does not begin a variable's name; write ${NAME}, or $${ for the characters ${", key)
			ok = false
			return ""
		}
		v, found := f.lookup(name)
		if !found {
			f.unsetf(n, "%s: the variable %s is not set; set it in the environment or in .env", key, name)
			ok = false
		}
		return v.value
	})
	return text, ok
}

var roles = []string{string(RoleRead), string(RoleWrite), string(RoleTokens), string(RoleAdmin)}

// readAPIKeys reads a list of {key: ..., role: ...}, where role is one role or a list of them.
func (f *file) readAPIKeys(keyNode, n *yaml.Node) {
	list := deref(n)
	if list.Kind != yaml.SequenceNode {
		f.failf(keyNode, "api_keys: want a list, such as [{key: \"${NAME}\", role: read}]")
		return
	}
	for _, item := range list.Content {
		key := APIKey{}
		complete := true
		seen := map[string]bool{}
		f.mapping(item, "api_keys", []string{"key", "role"}, func(name string, keyNode, value *yaml.Node) {
			seen[name] = true
			var ok bool
			switch name {
			case "key":
				var text string
				text, ok = f.text("key", keyNode, value, false)
				key.Key = Secret(text)
			case "role":
				key.Roles, ok = f.readRoles(keyNode, value)
			}
			complete = complete && ok
		})
		for _, name := range []string{"key", "role"} {
			if deref(item).Kind == yaml.MappingNode && !seen[name] {
				f.failf(item, "api_keys: %s is missing; want {key: \"${NAME}\", role: %s}", name, strings.Join(roles, "|"))
				complete = false
			}
		}
		if complete && deref(item).Kind == yaml.MappingNode {
			f.addAPIKey(item, key)
		}
	}
}

func (f *file) readRoles(keyNode, n *yaml.Node) ([]Role, bool) {
	nodes := []*yaml.Node{n}
	if list := deref(n); list.Kind == yaml.SequenceNode {
		nodes = list.Content
	}
	var read []Role
	for _, n := range nodes {
		text, ok := f.text("role", keyNode, n, false)
		if !ok {
			return nil, false
		}
		if !slices.Contains(roles, text) {
			f.failf(n, "role: unknown role %s%s", quote(deref(n).Value), suggest(deref(n).Value, roles))
			return nil, false
		}
		read = append(read, Role(text))
	}
	if len(read) == 0 {
		f.failf(keyNode, "role: the list is empty; want %s", strings.Join(roles, ", "))
		return nil, false
	}
	return read, true
}

func (f *file) addAPIKey(n *yaml.Node, key APIKey) {
	key.Source = f.at(n)
	if msg := checkAPIKey(string(key.Key)); msg != "" {
		f.failf(n, "%s", msg)
	}
	for _, other := range f.apiKeys {
		if other.Key == key.Key {
			f.failf(n, "this API key is the same as that of %s; give each its own, or join their roles: role: [read, tokens]", other.Source)
			return
		}
	}
	f.apiKeys = append(f.apiKeys, key)
}
