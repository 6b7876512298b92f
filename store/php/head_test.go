package php

import "testing"

func TestHead_NamesTheKindOfEveryGoldenValue(t *testing.T) {
	for _, row := range golden(t, "values.jsonl") {
		want := must(Decode(row.Data)).Type()
		if got := TypeName(row.Data); got != want {
			t.Errorf("%s: got %q, want %q", row.Name, got, want)
		}
		if head := row.Data[:min(len(row.Data), 64)]; TypeName(head) != want {
			t.Errorf("%s: from 64 bytes got %q, want %q", row.Name, TypeName(head), want)
		}
	}
}

func TestHead_LooksNoFurtherThanTheHead(t *testing.T) {
	for text, want := range map[string][2]string{
		`N;`:                         {"null"},
		`b:1;`:                       {"bool"},
		`i:-7`:                       {"int"},
		`d:.5`:                       {"float"},
		`d:-INF;`:                    {"float"},
		`s:9000:"abc`:                {"string"},
		`S:1:"\41";`:                 {"string"},
		`a:5:{i:0;gar`:               {"array"},
		`O:8:"stdClass":1:{`:         {"object", "stdClass"},
		`O:15:"App\Models\User":30:`: {"object", `App\Models\User`},
		`O:15:"App\Models`:           {"object", ""},
		`O:15:"`:                     {"object", ""},
		`C:3:"Old":3:{`:              {"object", "Old"},
		`E:6:"Suit:H";`:              {"enum", "Suit"},
		`E:60:"Suit:H`:               {"enum", "Suit"},
		`E:60:"Sui`:                  {"enum", ""},
		``:                           {"corrupt"},
		`N`:                          {"corrupt"},
		`b:2;`:                       {"corrupt"},
		`b:1`:                        {"corrupt"},
		`i:x`:                        {"corrupt"},
		`i:`:                         {"corrupt"},
		`d:x`:                        {"corrupt"},
		`s:-1:"`:                     {"corrupt"},
		`s:1:a`:                      {"corrupt"},
		`a:x:{`:                      {"corrupt"},
		`a:1:[`:                      {"corrupt"},
		`O:8:stdClass`:               {"corrupt"},
		`O:7:"stdClass":0:{}`:        {"corrupt"},
		`O:3:"a b":0:{}`:             {"corrupt"},
		`O:30:"a:b`:                  {"corrupt"},
		`O:0:"":0:{}`:                {"corrupt"},
		"O:90:\"a\x00b":              {"corrupt"},
		`E:5:"SuitH";`:               {"corrupt"},
		`E:5:"Suit:";`:               {"corrupt"},
		`R:1;`:                       {"corrupt"},
		`r:1;`:                       {"corrupt"},
		`{"a":1}`:                    {"corrupt"},
		`hello`:                      {"corrupt"},
	} {
		if typeName, class := Head([]byte(text)); typeName != want[0] || class != want[1] {
			t.Errorf("%s: got %q of class %q, want %q", text, typeName, class, want)
		}
	}
}
