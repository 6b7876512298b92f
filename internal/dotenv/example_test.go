package dotenv_test

import (
	"fmt"

	"github.com/larder-cache/larder/internal/dotenv"
)

func ExampleParse() {
	environment := func(name string) (string, bool) { return "staging", name == "APP_ENV" }

	vars, err := dotenv.Parse([]byte(`
		# what every Laravel has
		APP_NAME="My Shop"
		APP_URL=https://${APP_ENV}.example.com
		DB_PASSWORD='pa#ss'   # quotes, for the #
		CACHE_PREFIX=null
	`), environment)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(vars["APP_NAME"].Value)
	fmt.Println(vars["APP_URL"].Value)
	fmt.Println(vars["DB_PASSWORD"].Value)
	fmt.Println(dotenv.Env(vars.Lookup("CACHE_PREFIX")).Kind == dotenv.Null)
	// Output:
	// My Shop
	// https://staging.example.com
	// pa#ss
	// true
}
