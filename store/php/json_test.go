package php

import (
	"errors"
	"math"
	"testing"
)

func TestJSON_SaysWhatJSONCannotInFormsThatStartWithADollar(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`d:INF;`, `{"$float":"INF"}`},
		{`d:-INF;`, `{"$float":"-INF"}`},
		{`d:NAN;`, `{"$float":"NAN"}`},
		{"s:2:\"\xff\x00\";", `{"$bytes":"/wA="}`},
		{`E:11:"Suit:Hearts";`, `{"$enum":"Suit::Hearts"}`},
		{`C:3:"Old":3:{a"b}`, `{"$custom":"Old","data":"a\"b"}`},
		{"C:3:\"Old\":1:{\xff}", `{"$custom":"Old","data":{"$bytes":"/w=="}}`},
		{`a:2:{i:0;i:1;i:1;R:2;}`, `[1,{"$ref":2}]`},
		{`a:2:{i:0;` + empty0 + `i:1;r:2;}`, `[{"$object":"stdClass","properties":[]},{"$ref":2,"object":true}]`},
		{
			"O:8:\"App\\User\":4:{s:2:\"id\";i:7;s:7:\"\x00*\x00tags\";a:0:{}s:9:\"\x00Base\x00key\";N;i:5;b:1;}",
			`{"$object":"App\\User","properties":[{"name":"id","visibility":"public","value":7},{"name":"tags","visibility":"protected","value":[]},` +
				`{"name":"key","visibility":"private","class":"Base","value":null},{"name":5,"visibility":"public","value":true}]}`,
		},
		{`a:2:{s:4:"$ref";i:1;i:5;s:1:"x";}`, `{"$array":[["$ref",1],[5,"x"]]}`},
		{`a:2:{s:1:"a";i:1;s:1:"$";i:2;}`, `{"$array":[["a",1],["$",2]]}`},
		{"a:1:{s:1:\"\xff\";i:1;}", `{"$array":[[{"$bytes":"/w=="},1]]}`},
		{`a:1:{s:2:"a$";i:1;}`, `{"a$":1}`},
	} {
		v := decode(t, test.text)
		if got, err := JSON(v); string(got) != test.want || err != nil {
			t.Errorf("%q\ngot  %s, %v\nwant %s", test.text, got, err, test.want)
		}
		checkJSON(t, v)
	}
}

func TestJSON_LosesNothingOfTheGoldenValues(t *testing.T) {
	for _, row := range golden(t, "values.jsonl") {
		checkJSON(t, must(Decode(row.Data)))
	}
}

func TestJSON_TakesNilForNull(t *testing.T) {
	for _, v := range []Value{nil, Null{}, &Null{}, (*Array)(nil), (*Object)(nil), (*Custom)(nil), (*Int)(nil), (*String)(nil)} {
		if got := string(must(JSON(v))); got != "null" {
			t.Errorf("%#v: got %s", v, got)
		}
		if got := string(must(Encode(v))); got != "N;" {
			t.Errorf("%#v: got %s", v, got)
		}
	}
}

func TestAppendJSON_KeepsTheBufferOnError(t *testing.T) {
	loop := NewList(Null{})
	loop.Set(IntKey(0), loop)
	if got, err := AppendJSON([]byte("kept"), loop); string(got) != "kept" || !errors.As(err, new(*LimitError)) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestFromJSON_TakesOurFormsAsPlainData(t *testing.T) {
	v := must(FromJSON([]byte(`{"$object":"App\\User","properties":[]}`)))
	if got := string(must(Marshal(v))); got != `a:2:{s:7:"$object";s:8:"App\User";s:10:"properties";a:0:{}}` {
		t.Errorf("got %s", got)
	}
}

func TestFromJSON_ErrorNamesThePlaceAndShowsNoData(t *testing.T) {
	for text, want := range map[string]string{
		`{"token": secret}`: "invalid JSON at byte 10: want a value",
		`["secret`:          "invalid JSON at byte 8: a string has no control characters, and ends in a quote, but the data ends",
		`[1,`:               "invalid JSON at byte 3: want a value, but the data ends",
		`{"a":1} x`:         "invalid JSON at byte 8: the value ends here, but more data follow",
		"\"\xff\"":          "invalid JSON at byte 1: the string is not UTF-8",
		`"\ud800"`:          "invalid JSON at byte 7: half of a surrogate pair",
	} {
		if _, err := FromJSON([]byte(text)); err == nil || err.Error() != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestFromJSON_KeepsTheSignOfAFloatZero(t *testing.T) {
	f := must(FromJSON([]byte("-0.0"))).(Float)
	if !math.Signbit(float64(f)) {
		t.Error("the sign is gone")
	}
}
