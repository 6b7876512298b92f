package php_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/larder-cache/larder/store/php"
)

func TestArray_PrintsAsJSON(t *testing.T) {
	a := new(php.Array)
	a.Set(php.StringKey("name"), php.String("李雷"))
	a.Set(php.StringKey("tags"), php.NewList(php.Int(1), nil, php.Float(1)))
	const want = `{"name":"李雷","tags":[1,null,1.0]}`
	for _, format := range []string{"%v", "%s", "%+v"} {
		if got := fmt.Sprintf(format, a); got != want {
			t.Errorf("%s prints %s, want %s", format, got, want)
		}
	}
	if got := fmt.Sprint((*php.Array)(nil), new(php.Array)); got != "null []" {
		t.Errorf("nil and empty print %s", got)
	}
	object := &php.Object{Class: "User", Properties: []php.Property{{Name: "id", Value: php.Int(7)}}}
	if got, want := fmt.Sprint(object), `{"$object":"User","properties":[{"name":"id","visibility":"public","value":7}]}`; got != want {
		t.Errorf("an object prints %s, want %s", got, want)
	}
}

func TestArray_PrintsTheBeginningOfALongOne(t *testing.T) {
	for _, a := range []*php.Array{
		php.NewList(php.String(strings.Repeat("文", 1000))),
		php.NewList(php.String("a" + strings.Repeat("文", 1000))),
		php.NewList(make([]php.Value, 100_000)...),
		php.NewList(php.NewList(make([]php.Value, 100_000)...), php.Int(1)),
	} {
		got := a.String()
		if len(got) > 1003 || len(got) < 990 || !utf8.ValidString(got) || !strings.HasPrefix(got, "[") || !strings.HasSuffix(got, "…") {
			t.Errorf("it prints %d bytes: %s", len(got), got)
		}
	}
	deep := php.NewList()
	for range php.MaxDepth + 10 {
		deep = php.NewList(deep)
	}
	if got := deep.String(); len(got) > 1003 || !strings.HasSuffix(got, "…") {
		t.Errorf("it prints %d bytes", len(got))
	}
}

func TestArray_PrintingALongOneDoesNotReadItAll(t *testing.T) {
	a := php.NewList(make([]php.Value, 1_000_000)...)
	if allocations := testing.AllocsPerRun(10, func() { _ = a.String() }); allocations > 15 {
		t.Errorf("printing allocates %v times, as a text of megabytes would", allocations)
	}
}
