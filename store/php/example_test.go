package php_test

import (
	"errors"
	"fmt"
	"os"

	"github.com/larder-cache/larder/store/php"
)

type response struct {
	Code      int    `php:"errcode"`
	Token     string `php:"access_token"`
	ExpiresIn int    `php:"expires_in"`
	Note      string `php:"note,omitempty"`
}

func ExampleMarshal() {
	text, err := php.Marshal(response{Token: "96fc7a7a", ExpiresIn: 7200})
	if err != nil {
		panic(err)
	}
	fmt.Println(string(text))
	// Output: a:3:{s:7:"errcode";i:0;s:12:"access_token";s:8:"96fc7a7a";s:10:"expires_in";i:7200;}
}

func ExampleUnmarshal() {
	text := []byte(`a:3:{s:7:"errcode";i:0;s:12:"access_token";s:8:"96fc7a7a";s:10:"expires_in";i:7200;}`)
	var r response
	if err := php.Unmarshal(text, &r); err != nil {
		panic(err)
	}
	fmt.Println(r.Token, r.ExpiresIn)
	// Output: 96fc7a7a 7200
}

func ExampleUnmarshal_mismatch() {
	var users []struct {
		ID int `php:"id"`
	}
	err := php.Unmarshal([]byte(`a:1:{i:0;a:1:{s:2:"id";s:1:"7";}}`), &users)
	fmt.Println(err)

	var mismatch *php.TypeError
	if errors.As(err, &mismatch) {
		fmt.Println(mismatch.Path, mismatch.Got)
	}
	// Output:
	// [0].id: cannot store a PHP string in a Go int
	// [0].id string
}

func ExampleDecode() {
	v, err := php.Decode([]byte("O:8:\"App\\User\":2:{s:2:\"id\";i:7;s:7:\"\x00*\x00tags\";a:2:{i:0;s:1:\"x\";s:1:\"k\";N;}}"))
	if err != nil {
		panic(err)
	}
	user := v.(*php.Object)
	for _, p := range user.Properties {
		fmt.Println(p.Visibility, p.Name, p.Value.Type())
	}
	tags, _ := user.Get("tags")
	for k, v := range tags.(*php.Array).All() {
		fmt.Println(k, v.Type())
	}
	// Output:
	// public id int
	// protected tags array
	// 0 string
	// k null
}

func ExampleArray_Set() {
	var a php.Array
	a.Set(php.StringKey("b"), php.Int(1))
	a.Set(php.StringKey("7"), php.String("the key is an int, as in PHP"))
	a.Set(php.StringKey("b"), php.Int(2)) // stays first
	text, err := php.Marshal(&a)
	fmt.Println(string(text), err)
	// Output: a:2:{s:1:"b";i:2;i:7;s:28:"the key is an int, as in PHP";} <nil>
}

func ExampleJSON() {
	v, err := php.Decode([]byte(`a:4:{s:4:"rate";d:1;s:4:"list";a:2:{i:0;i:1;i:1;b:1;}s:4:"suit";E:11:"Suit:Hearts";s:3:"max";d:INF;}`))
	if err != nil {
		panic(err)
	}
	text, err := php.JSON(v)
	fmt.Println(string(text), err)
	// Output: {"rate":1.0,"list":[1,true],"suit":{"$enum":"Suit::Hearts"},"max":{"$float":"INF"}} <nil>
}

func ExampleFromJSON() {
	v, err := php.FromJSON([]byte(`{"ids": [1, 2.0], "9": "nine"}`))
	if err != nil {
		panic(err)
	}
	text, err := php.Marshal(v)
	fmt.Println(string(text), err)
	// Output: a:2:{s:3:"ids";a:2:{i:0;i:1;i:1;d:2;}i:9;s:4:"nine";} <nil>
}

func ExamplePretty() {
	v, err := php.Decode([]byte("O:15:\"App\\Models\\User\":3:{s:2:\"id\";i:7;s:7:\"\x00*\x00tags\";a:1:{i:0;s:5:\"admin\";}s:5:\"since\";" +
		`O:8:"DateTime":3:{s:4:"date";s:26:"2024-01-02 03:04:05.000000";s:13:"timezone_type";i:3;s:8:"timezone";s:3:"UTC";}}`))
	if err != nil {
		panic(err)
	}
	if err := php.Pretty(os.Stdout, v); err != nil {
		panic(err)
	}
	// Output:
	// App\Models\User {
	//   +id: 7
	//   #tags: array:1 [
	//     0 => "admin"
	//   ]
	//   +since: DateTime 2024-01-02 03:04:05.000000 UTC
	// }
}

func ExampleHead() {
	fmt.Println(php.Head([]byte(`O:29:"Illuminate\Support\Collection":2:{s:8:"`)))
	fmt.Println(php.TypeName([]byte(`s:6:"secret";`)))
	// Output:
	// object Illuminate\Support\Collection
	// string
}
