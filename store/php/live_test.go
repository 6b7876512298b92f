package php

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
)

// askPHP runs a PHP expression over $text for each of texts and returns its results. Without a php on the PATH it says so
// and returns nil: the golden files then stand alone.
func askPHP(t *testing.T, expression string, texts [][]byte) []string {
	t.Helper()
	path, err := exec.LookPath("php")
	if err != nil {
		t.Log("NO PHP ON THE PATH: nothing was compared with a living PHP, only the golden files speak for it")
		return nil
	}
	var in bytes.Buffer
	for _, text := range texts {
		in.WriteString(base64.StdEncoding.EncodeToString(text) + "\n")
	}
	cmd := exec.Command(path, "-d", "serialize_precision=-1", "-d", "memory_limit=1G", "-r", `
		error_reporting(0);
		while (($line = fgets(STDIN)) !== false) {
			$text = base64_decode(rtrim($line));
			echo base64_encode(`+expression+`), "\n";
		}`)
	cmd.Stdin = &in
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("php: %v\n%s", err, out)
	}
	var results []string
	for s := bufio.NewScanner(bytes.NewReader(out)); s.Scan(); {
		result, err := base64.StdEncoding.DecodeString(s.Text())
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, string(result))
	}
	if len(results) != len(texts) {
		t.Fatalf("php answered %d of %d", len(results), len(texts))
	}
	return results
}

func TestLivePHP_ReadsWhatMarshalWrites(t *testing.T) {
	var texts [][]byte
	for _, test := range marshalled {
		texts = append(texts, must(Marshal(test.in)))
	}
	for i, got := range askPHP(t, `serialize(unserialize($text))`, texts) {
		if got != string(texts[i]) {
			t.Errorf("%s: PHP makes %s of %s", marshalled[i].name, excerpt(got), excerpt(texts[i]))
		}
	}
}

func TestLivePHP_WritesFloatsAsWeDo(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var texts [][]byte
	for range 20_000 {
		f := math.Float64frombits(random.Uint64())
		switch random.IntN(4) {
		case 0:
			f = math.Round(random.NormFloat64()*1e6) / 1e3
		case 1:
			f = math.Float64frombits(random.Uint64() >> 12) // subnormal
		case 2:
			f = math.Pow(10, float64(random.IntN(40)-20)) * (1 + float64(random.IntN(3)-1)*0x1p-52)
		}
		texts = append(texts, must(Marshal(f)))
	}
	for i, got := range askPHP(t, `serialize(unserialize($text))`, texts) {
		if got != string(texts[i]) {
			t.Fatalf("PHP writes %s as %s", texts[i], got)
		}
	}
}

// TestLivePHP_ReadsOddTextAsWeDo changes the golden texts at random and compares what PHP and Decode make of them.
func TestLivePHP_ReadsOddTextAsWeDo(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var seeds []string
	for _, file := range []string{"values.jsonl", "lenient.jsonl"} {
		for _, row := range golden(t, file) {
			if plain(row.Data) && len(row.Data) < 400 {
				seeds = append(seeds, string(row.Data))
			}
		}
	}
	var texts [][]byte
	for range 30_000 {
		text := []byte(seeds[random.IntN(len(seeds))])
		for range 1 + random.IntN(3) {
			text = mutate(random, text, seeds)
		}
		if plain(text) && len(text) > 0 {
			texts = append(texts, text)
		}
	}
	const expression = `($v = unserialize($text)) === false && $text !== 'b:0;' ? '' : serialize($v)`
	read := 0
	for i, want := range askPHP(t, expression, texts) {
		v, err := Decode(texts[i])
		if err != nil {
			if msg := err.Error(); want != "" && !strings.Contains(msg, "more data follow") && !strings.Contains(msg, "repeated") {
				t.Errorf("PHP reads %s as %s, Decode: %v", excerpt(texts[i]), excerpt(want), err)
			}
			continue
		}
		read++
		if got := string(must(Encode(v))); got != want {
			t.Errorf("PHP reads %s as %s, Decode as %s", excerpt(texts[i]), excerpt(want), excerpt(got))
		}
	}
	t.Logf("%d texts, %d of them read", len(texts), read)
}

// plain reports whether text has no objects, whose meaning depends on classes, and no references, which PHP numbers
// anew.
func plain(text []byte) bool { return !bytes.ContainsAny(text, "OCErR") }

func mutate(random *rand.Rand, text []byte, seeds []string) []byte {
	if len(text) == 0 {
		return text
	}
	i := random.IntN(len(text))
	switch random.IntN(6) {
	case 0: // another byte
		const likely = "0123456789+-.:;\"{}eNbidsSa\\ "
		text[i] = likely[random.IntN(len(likely))]
	case 1:
		text = append(text[:i:i], text[i+1:]...)
	case 2: // a byte twice
		text = append(text[:i+1:i+1], text[i:]...)
	case 3: // the end cut off
		text = text[:i]
	case 4: // in an array, with a key of its own
		key := []string{`s:1:"7";`, "i:-3;", "i:0;", "i:1;", `s:2:"07";`}
		text = []byte("a:2:{" + key[random.IntN(5)] + string(text) + key[random.IntN(5)] + seeds[random.IntN(len(seeds))] + "}")
	case 5: // a digit
		for j := i; j < len(text); j++ {
			if text[j] >= '0' && text[j] <= '9' {
				text[j] = byte('0' + random.IntN(10))
				break
			}
		}
	}
	return text
}

func TestLivePHP_ReadsJSONAsWeDo(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	var seeds []string
	for _, row := range golden(t, "fromjson.jsonl") {
		if len(row.Data) < 400 {
			seeds = append(seeds, string(row.Data))
		}
	}
	var texts [][]byte
	for range 30_000 {
		text := []byte(seeds[random.IntN(len(seeds))])
		for range 1 + random.IntN(3) {
			i := random.IntN(len(text) + 1)
			switch other := seeds[random.IntN(len(seeds))]; random.IntN(4) {
			case 0:
				text = append(text[:i:i], text[min(i+1, len(text)):]...)
			case 1:
				const likely = "0123456789+-.eE[]{},:\"\\utfn \x00\xff\xed\xa0\xc2"
				text = append(append(text[:i:i], likely[random.IntN(len(likely))]), text[i:]...)
			case 2:
				text = []byte("[" + string(text) + "," + other + "]")
			case 3:
				text = []byte(`{"a":` + string(text) + `,"0":` + other + "}")
			}
		}
		texts = append(texts, text)
	}
	const expression = `($v = json_decode($text, true)) === null && json_last_error() ? '' : serialize($v)`
	read := 0
	for i, want := range askPHP(t, expression, texts) {
		v, err := FromJSON(texts[i])
		if err != nil {
			if want != "" {
				t.Errorf("PHP reads %s as %s, FromJSON: %v", excerpt(texts[i]), excerpt(want), err)
			}
			continue
		}
		read++
		if got := string(must(Encode(v))); got != want {
			t.Errorf("PHP reads %s as %s, FromJSON as %s", excerpt(texts[i]), excerpt(want), excerpt(got))
		}
	}
	t.Logf("%d texts, %d of them read", len(texts), read)
}

func TestLivePHP_WritesJSONAsWeDo(t *testing.T) {
	var texts [][]byte
	for _, row := range golden(t, "values.jsonl") {
		if row.JSON != nil {
			texts = append(texts, row.Data)
		}
	}
	const expression = `json_encode(unserialize($text), JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES)`
	for i, want := range askPHP(t, expression, texts) {
		if got := string(must(JSON(must(Decode(texts[i]))))); got != want {
			t.Errorf("PHP writes %s, JSON %s", excerpt(want), excerpt(got))
		}
	}
}

// TestLivePHP_AcceptsReferencesAsWeDo compares only what is accepted: PHP numbers references anew when it writes.
func TestLivePHP_AcceptsReferencesAsWeDo(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	const object = `O:8:"stdClass":2:{s:1:"a";i:1;s:1:"b";s:1:"x";}`
	parts := []string{"R:1;", "R:2;", "R:3;", "R:4;", "r:1;", "r:2;", "r:3;", "r:4;", "r:5;", "R:6;", "r:7;", "i:7;", object, "a:0:{}", `s:1:"a";`, "N;", empty0}
	part := func() string { return parts[random.IntN(len(parts))] }
	var texts [][]byte
	for range 20_000 {
		inner := part()
		if random.IntN(2) == 0 {
			inner = `O:8:"stdClass":2:{s:1:"p";` + part() + `s:1:"q";` + part() + "}"
		}
		text := "a:4:{i:0;" + part() + "i:1;" + inner + "s:1:\"k\";a:2:{i:0;" + part() + "i:1;" + part() + "}i:3;" + part() + "}"
		if random.IntN(3) == 0 {
			text = string(mutate(random, []byte(text), []string{"i:0;"}))
		}
		texts = append(texts, []byte(text))
	}
	read := 0
	for i, want := range askPHP(t, `unserialize($text) === false ? '' : 'read'`, texts) {
		_, err := Decode(texts[i])
		if err == nil {
			read++
		} else if strings.Contains(err.Error(), "more data follow") || strings.Contains(err.Error(), "repeated") {
			continue
		}
		if (err == nil) != (want != "") {
			t.Errorf("%s: PHP %q, Decode %v", texts[i], want, err)
		}
	}
	t.Logf("%d texts, %d of them read", len(texts), read)
}
