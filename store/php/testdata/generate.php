<?php
// Writes the golden files that the Go tests compare with, from what PHP itself does:
//
//     php generate.php
//
// It is deterministic: the same PHP version writes the same files. They were written by PHP 8.2.
//
//   values.jsonl    values made here, as serialize writes them
//   lenient.jsonl   texts that serialize does not write, and what unserialize makes of them
//   floats.txt      the bits of doubles, and how serialize writes them
//   fromjson.jsonl  JSON, and what json_decode($json, true) makes of it
//
// Texts are in base64, since they hold bytes of any kind.

namespace Illuminate\Support {
    // The properties of these stand-ins are those of the real classes (Laravel 10 to 13), and so is their text.
    class Collection
    {
        protected $items = [];
        protected $escapeWhenCastingToString = false;

        public function __construct($items = [])
        {
            $this->items = $items;
        }
    }

    class Carbon extends \DateTime
    {
    }
}

namespace Carbon {
    class CarbonImmutable extends \DateTimeImmutable
    {
    }
}

namespace Illuminate\Database\Eloquent {
    class Collection extends \Illuminate\Support\Collection
    {
    }

    abstract class Model
    {
        protected $connection = 'mysql';
        protected $table = 'users';
        protected $primaryKey = 'id';
        public $incrementing = true;
        protected $with = [];
        public $exists = true;
        protected $attributes = [];
        protected $original = [];
        protected $relations = [];
        public $timestamps = true;

        public function __construct(array $attributes = [], array $relations = [])
        {
            $this->attributes = $this->original = $attributes;
            $this->relations = $relations;
        }
    }
}

namespace App\Models {
    class User extends \Illuminate\Database\Eloquent\Model
    {
        private $hidden = ['password'];
    }
}

namespace App\Enums {
    enum Suit: string
    {
        case Hearts = 'H';
        case Spades = 'S';
    }

    enum Level: int
    {
        case Low = 1;
        case High = 2;
    }

    enum Status
    {
        case Active;
        case Inactive;
    }
}

namespace {
    use App\Enums\{Level, Status, Suit};
    use Illuminate\Support\{Carbon, Collection};

    error_reporting(E_ALL & ~E_DEPRECATED & ~E_WARNING & ~E_NOTICE);
    ini_set('serialize_precision', '-1');
    date_default_timezone_set('UTC');
    chdir(__DIR__);

    class Base
    {
        public $open = 1;
        protected $half = 'two';
        private $secret = 3.5;
    }

    class Derived extends Base
    {
        private $secret = 'mine';
        public ?Derived $next = null;
        public readonly int $fixed;

        public function __construct()
        {
            $this->fixed = 9;
        }
    }

    class Typed
    {
        public int $set = 1;
        public string $unset;
    }

    class Sleeper
    {
        public $a = 1;
        protected $b = 2;
        private $c = 3;
        public $conn = 'left out';

        public function __sleep()
        {
            return ['a', 'b', 'c'];
        }
    }

    class Packed
    {
        public function __construct(public array $data)
        {
        }

        public function __serialize(): array
        {
            return $this->data;
        }

        public function __unserialize(array $data): void
        {
            $this->data = $data;
        }
    }

    class Old implements Serializable
    {
        public function __construct(public $data)
        {
        }

        public function serialize()
        {
            return is_string($this->data) ? $this->data : serialize($this->data);
        }

        public function unserialize($text)
        {
            $this->data = $text;
        }
    }

    class Zürich
    {
        public $ümlaut = 'ä';
    }

    #[AllowDynamicProperties]
    class Node
    {
        public $parent;
        public $children = [];
    }

    function std(array $properties): stdClass
    {
        return (object) $properties;
    }

    /** @return iterable<string, mixed> */
    function values(): iterable
    {
        yield 'null' => null;
        yield 'true' => true;
        yield 'false' => false;

        foreach ([0, 1, -1, 7, -7, 255, 256, 65535, 4294967295, 4294967296, 999999999999, PHP_INT_MAX, PHP_INT_MAX - 1, PHP_INT_MIN, PHP_INT_MIN + 1] as $n) {
            yield "int $n" => $n;
        }
        $floats = [
            0.0, -0.0, 1.0, -1.0, 0.1, 0.2, 0.1 + 0.2, 1 / 3, 2.5, -2.5, 1e14, 1e15, 1e16, 1e17, 1e18, 1e22, 1e25, 1e100, 1e-1, 1e-3, 1e-4, 1e-5, 1e-7, 1.5e-7,
            0.00012345, 123456789012345678.0, 99999999999999990.0, 9007199254740993.0, 9.2233720368547758e18, M_PI, PHP_FLOAT_MAX, -PHP_FLOAT_MAX, PHP_FLOAT_MIN,
            PHP_FLOAT_EPSILON, 5e-324, 2.2250738585072009e-308, INF, -INF, NAN,
        ];
        foreach ($floats as $f) {
            yield 'float ' . var_export($f, true) => $f;
        }

        yield 'string, empty' => '';
        yield 'string' => 'hello';
        yield 'string of quotes' => "it's \"quoted\" \\ and \\x41 and \\n";
        yield 'string that looks like the format' => 's:3:"abc";}';
        yield 'string of references' => 'R:1;r:1;';
        yield 'string of digits' => '7';
        yield 'string, UTF-8' => "Grüße, 日本語, \u{1F600}";
        yield 'string, line separators' => "a\u{2028}b\u{2029}c";
        yield 'string, not UTF-8' => "\xff\xfe\x00\x80";
        yield 'string, Latin-1' => "Gr\xfc\xdfe";
        yield 'string of a surrogate' => "\xed\xa0\x80";
        yield 'string of NULs' => "\0\0\0";
        yield 'string of all bytes' => implode('', array_map('chr', range(0, 255)));
        yield 'string of a terminal' => "\x1b[31mred\x1b[0m\x07\u{9b}\u{202e}";
        yield 'string of lines' => "one\r\ntwo\tthree\n";
        yield 'string of JSON' => '{"access_token":"a/b","expires_in":7200}';
        yield 'string, long' => str_repeat('0123456789abcdef', 1000);
        yield 'string, compressed' => gzcompress(str_repeat('larder', 100));

        yield 'array, empty' => [];
        yield 'list' => [1, 2.5, 'three', true, false, null];
        yield 'list of lists' => [[1, 2], [3, [4, [5]]], []];
        yield 'list, long' => range(0, 2000);
        yield 'map' => ['errcode' => 0, 'access_token' => '96fc7a7axxx', 'errmsg' => 'ok', 'expires_in' => 7200];
        yield 'keys from 1' => [1 => 'a', 2 => 'b'];
        yield 'keys with a gap' => [0 => 'a', 2 => 'b'];
        yield 'keys of a list, out of order' => [1 => 'b', 0 => 'a'];
        yield 'keys that are numbers' => ['5' => 'int', '05' => 'string', '-3' => 'int', '-0' => 'string', '+1' => 'string', '1.5' => 'string', ' 1' => 'string', '1e3' => 'string', '0x1' => 'string'];
        yield 'keys at the ends of int' => [PHP_INT_MAX => 1, '9223372036854775807' => 2, '9223372036854775808' => 3, '-9223372036854775808' => 4, '-9223372036854775809' => 5];
        yield 'key, empty' => ['' => 'empty', 'x' => 1];
        yield 'key that is not UTF-8' => ["\xff" => 1, 'a' => 2];
        yield 'key with a NUL' => ["\0*\0a" => 1];
        yield 'key with a dollar' => ['$ref' => 1, 'b' => ['$array' => [], '$' => 2]];
        yield 'keys null, bool and float' => [null => 'a', true => 'b', 2.9 => 'c'];
        yield 'keys deleted' => (function () {
            $a = [1, 2, 3, 4];
            unset($a[0], $a[3]);
            $a[] = 5;

            return $a;
        })();
        yield 'map, long' => (function () {
            $a = [];
            for ($i = 0; $i < 500; $i++) {
                $a["key$i"] = $i * 1.5;
            }

            return $a;
        })();
        yield 'map of all kinds' => ['n' => null, 'b' => true, 'i' => -1, 'f' => 1.0, 's' => "\xff", 'a' => [1 => 2], 'o' => new stdClass, 'e' => Suit::Hearts];
        yield 'arrays, 500 deep' => (function () {
            $a = 'bottom';
            for ($i = 0; $i < 500; $i++) {
                $a = [$a];
            }

            return $a;
        })();
        yield 'maps, 500 deep' => (function () {
            $a = null;
            for ($i = 0; $i < 500; $i++) {
                $a = ['next' => $a, 'n' => $i];
            }

            return $a;
        })();

        yield 'reference to a scalar' => (function () {
            $x = 7;

            return [&$x, &$x, 'other', &$x];
        })();
        yield 'reference to an array' => (function () {
            $x = [1, 2];

            return ['a' => &$x, 'b' => &$x, 'c' => [&$x]];
        })();
        yield 'reference to an element' => (function () {
            $a = ['first' => ['deep' => 'v'], 'second' => null];
            $a['second'] = &$a['first']['deep'];

            return $a;
        })();
        yield 'reference of an array to itself' => (function () {
            static $a = ['x'];
            $a[] = &$a;

            return ['all' => &$a];
        })();
        yield 'reference to an object' => (function () {
            $o = std(['a' => 1]);

            return [&$o, &$o, $o];
        })();
        yield 'same object' => (function () {
            $o = std(['a' => 1, 'list' => [1, 2]]);

            return [$o, 'after', $o, ['in' => $o], 9, $o];
        })();
        yield 'equal objects' => [std(['a' => 1]), std(['a' => 1])];
        yield 'object in itself' => (function () {
            $o = new stdClass;
            $o->self = $o;
            $o->ref = &$o->self;

            return $o;
        })();
        yield 'parent and children' => (function () {
            $p = new Node;
            foreach ([1, 2, 3] as $i) {
                $c = new Node;
                $c->parent = $p;
                $c->name = "child $i";
                $p->children[] = $c;
            }
            $p->favourite = $p->children[1];

            return $p;
        })();
        yield 'references of both kinds' => (function () {
            $o = new stdClass;
            $s = 'shared';
            $o->s = &$s;
            $o->list = [$o, &$s, [$o]];

            return ['o' => $o, 's' => &$s, 'again' => $o];
        })();

        yield 'object, empty' => new stdClass;
        yield 'object' => std(['id' => 7, 'name' => 'Bob', 'tags' => ['a', 'b']]);
        yield 'object with odd names' => std(['' => 1, '5' => 2, 'a b' => 3, 'ü' => 4, "\xff" => 5, "line\nfeed" => 6]);
        yield 'object, all visibilities' => new Base;
        yield 'object, inherited private' => new Derived;
        yield 'object in a property' => (function () {
            $d = new Derived;
            $d->next = new Derived;

            return $d;
        })();
        yield 'object, typed property unset' => new Typed;
        yield 'object with __sleep' => new Sleeper;
        yield 'object with __serialize, list' => new Packed([1, 'two', [3]]);
        yield 'object with __serialize, mixed' => new Packed([5 => 'five', 'k' => 'v', -1 => null, '7' => 'seven', '' => true]);
        yield 'object with __serialize, empty' => new Packed([]);
        yield 'object with __serialize, its properties' => new Packed((array) new Derived);
        yield 'object, Serializable' => new Old('any; "text" } at all');
        yield 'object, Serializable and empty' => new Old('');
        yield 'object, Serializable in an array' => [1, new Old('abc'), 2];
        yield 'object, Serializable with values of its own' => [new Old([1, std(['a' => 2])]), $o = std(['b' => 3]), $o];
        yield 'object with a name of its own' => new Zürich;
        yield 'object of an unknown class' => unserialize('O:12:"App\\Vanished":2:{s:1:"a";i:1;s:4:"' . "\0*\0" . 'b";a:0:{}}');
        yield 'objects, 100 deep' => (function () {
            $o = null;
            for ($i = 0; $i < 100; $i++) {
                $o = std(['next' => $o]);
            }

            return $o;
        })();

        yield 'enum with strings' => Suit::Hearts;
        yield 'enum with ints' => Level::High;
        yield 'enum' => Status::Active;
        yield 'enum, repeated' => [Suit::Hearts, Suit::Spades, Suit::Hearts, 'k' => Suit::Hearts];
        yield 'enum, in an object' => std(['suit' => Suit::Spades, 'again' => Suit::Spades]);
        yield 'enum, by reference' => (function () {
            $e = Status::Inactive;

            return [&$e, &$e];
        })();

        yield 'ArrayObject' => new ArrayObject(['a' => 1, 2]);
        yield 'ArrayIterator' => new ArrayIterator([1, 2, 3]);
        yield 'SplObjectStorage' => (function () {
            $s = new SplObjectStorage;
            $o = std(['a' => 1]);
            $s[$o] = 'data';
            $s[new stdClass] = $o;

            return $s;
        })();
        yield 'SplStack' => (function () {
            $s = new SplStack;
            $s->push(1);
            $s->push('two');

            return $s;
        })();
        yield 'SplFixedArray' => SplFixedArray::fromArray([1, 2.5, null]);
        yield 'SplQueue' => (function () {
            $q = new SplQueue;
            $q[] = [1];

            return $q;
        })();
        yield 'DateTime' => new DateTime('2024-01-02 03:04:05.678901', new DateTimeZone('Europe/Berlin'));
        yield 'DateTimeImmutable, offset' => new DateTimeImmutable('2024-01-02 03:04:05+05:30');
        yield 'DateTimeImmutable, abbreviation' => new DateTimeImmutable('2024-07-02 03:04:05 EDT');
        yield 'DateTime before the year 0' => new DateTime('-0044-03-15 00:00:00');
        yield 'DateTimeZone' => new DateTimeZone('Asia/Shanghai');
        yield 'DateInterval' => new DateInterval('P1Y2M3DT4H5M6S');
        yield 'Carbon' => new Carbon('2024-01-02 03:04:05.678901');
        yield 'CarbonImmutable' => new \Carbon\CarbonImmutable('2038-01-19 03:14:08', new DateTimeZone('America/New_York'));
        yield 'Collection' => new Collection(['a' => 1, 'b' => [2]]);
        yield 'Collection, empty' => new Collection;
        yield 'Collection of models' => (function () {
            $team = new \App\Models\User(['id' => 1, 'name' => 'Ada']);
            $other = new \App\Models\User(['id' => 2, 'born' => new Carbon('1990-05-06')], ['friend' => $team]);

            return new \Illuminate\Database\Eloquent\Collection([$team, $other, $team]);
        })();
        yield 'model' => new \App\Models\User(['id' => 7, 'email' => 'a@example.com', 'balance' => '12.50', 'deleted_at' => null]);
        yield 'WeakMap and others in a payload' => ['when' => new Carbon('2030-01-01'), 'who' => new Collection([Suit::Hearts, Suit::Hearts]), 'what' => new Old("\0\xff")];
        yield 'flexible companion' => 1735689600;
        yield 'lock owner' => 'cZ9kP0sLq2Xv7TbY';
        yield 'session' => ['_token' => str_repeat('t', 40), '_previous' => ['url' => 'http://localhost'], '_flash' => ['old' => [], 'new' => []]];
    }

    /** Texts that PHP reads, or refuses, but never writes. */
    function lenient(): array
    {
        $obj = 'O:8:"stdClass":';

        return [
            '', 'N', 'n;', ' N;', 'N ;', 'x', '{}', ';', 'a', 'i', 'i:', 's:', 'O:', 'b:', 'd:',
            'b:2;', 'b:01;', 'b:+1;', 'b:;', 'b:t;', 'b:1',
            'i:+7;', 'i:007;', 'i:-007;', 'i:+0;', 'i:-0;', 'i: 7;', 'i:7 ;', 'i:;', 'i:-;', 'i:+-1;', 'i:1', 'i:1e3;', 'i:0x10;', 'i:1.5;', 'i:1_0;',
            'i:9223372036854775807;', 'i:9223372036854775808;', 'i:-9223372036854775808;', 'i:-9223372036854775809;', 'i:18446744073709551615;', 'i:18446744073709551617;',
            'i:99999999999999999999;', 'i:-99999999999999999999;', 'i:36893488147419103233;', 'i:999999999999999999999999;', 'i:00000000000000000000000000001;', 'i:+9223372036854775807;',
            'd:1e3;', 'd:1E3;', 'd:.5;', 'd:5.;', 'd:+5;', 'd:+.5e+3;', 'd:-.5E-1;', 'd:007;', 'd:0.10000000000000001;', 'd:1.0E+25;', 'd:1e+25;', 'd:1;', 'd:1.0;', 'd:-0;', 'd:-0.0;', 'd:0;',
            'd:INF;', 'd:-INF;', 'd:NAN;', 'd:+INF;', 'd:-NAN;', 'd:inf;', 'd:nan;', 'd:Inf;', 'd:1E400;', 'd:-1e999;', 'd:1e-999;', 'd:4.9406564584124654E-324;', 'd:2.4703282292062327e-324;',
            'd:.;', 'd:1e;', 'd:1e+;', 'd:e5;', 'd:-;', 'd:;', 'd: 1;', 'd:1 ;', 'd:0x1p3;', 'd:1_0;', 'd:1.5.5;', 'd:1e1.5;', 'd:1', 'd:179769313486231580793728971405301e276;', 'd:9007199254740993;',
            's:01:"a";', 's:00:"";', 's:+1:"a";', 's:-1:"a";', 's: 1:"a";', 's::"a";', 's:1:a;', "s:1:'a';", 's:1:"a"', 's:1:"a":', 's:1:"ab";', 's:2:"a";', 's:3:"a";', 's:5:"abc";', 's:0:"a";',
            's:99999999999999999999:"a";', 's:9223372036854775807:"a";', 's:4294967297:"a";', 's:1;"a";', 's:1:"a;', 's', 's:1', 's:1:', 's:1:"', 's:1:"a',
            'S:1:"a";', 'S:1:"\41";', 'S:3:"a\42c";', 'S:2:"\5c\5C";', 'S:1:"\4";', 'S:1:"\4G";', 'S:2:"\\";', 'S:1:"\\', 'S:1:"', 'S:0:"";', 'S:2:"\41";', 'S:1:"\41\42";', 'S:1:"\+1";', 'S:4:"\41";',
            'a:0:{}', 'a:00:{}', 'a:+0:{}', 'a:-1:{}', 'a:0:{', 'a:0:', 'a:1:{', 'a:0:{i:0;i:1;}', 'a:1:{}', 'a:2:{i:0;i:1;}', 'a:1:{i:0;i:1;i:1;i:2;}', 'a:1:{i:0;}', 'a:1:{i:0', 'a:1:{i:0;i:1;',
            'a:20000000:{}', 'a:99999999999999999999:{}', 'a:2147483648:{}', 'a:1:{i:0;a:20000000:{}}', 'a:1:[i:0;i:1;]', 'a:1:{i:0;,i:1;}', 'a:1:{ i:0;i:1;}', 'a:1:{i:0;i:1; }',
            'a:1:{s:1:"5";i:1;}', 'a:1:{s:2:"05";i:1;}', 'a:1:{s:2:"-5";i:1;}', 'a:1:{s:2:"-0";i:1;}', 'a:1:{s:2:"+5";i:1;}', 'a:1:{s:1:"-";i:1;}', 'a:1:{s:0:"";i:1;}', 'a:1:{s:1:"0";i:1;}',
            'a:1:{s:20:"-9223372036854775808";i:1;}', 'a:1:{s:20:"-9223372036854775809";i:1;}', 'a:1:{s:19:"9223372036854775807";i:1;}', 'a:1:{s:19:"9223372036854775808";i:1;}', 'a:1:{s:20:"18446744073709551617";i:1;}',
            'a:1:{S:1:"5";i:1;}', 'a:1:{S:1:"\35";i:1;}', 'a:1:{i:+5;i:1;}', 'a:1:{i:9223372036854775808;i:1;}',
            'a:1:{b:1;i:1;}', 'a:1:{d:1;i:1;}', 'a:1:{N;i:1;}', 'a:1:{a:0:{}i:1;}', 'a:1:{R:1;i:1;}', 'a:1:{r:1;i:1;}', 'a:1:{O:8:"stdClass":0:{}i:1;}', 'a:1:{E:1:"a";i:1;}',
            'a:2:{i:0;i:1;i:0;i:2;}', 'a:3:{s:1:"a";i:1;s:1:"b";i:2;s:1:"a";i:3;}', 'a:2:{i:5;i:1;s:1:"5";i:2;}', 'a:3:{i:0;i:1;i:1;i:2;i:0;a:0:{}}',
            'a:11:{i:0;i:0;i:1;i:0;i:2;i:0;i:3;i:0;i:4;i:0;i:5;i:0;i:6;i:0;i:7;i:0;i:8;i:0;i:9;i:0;s:1:"9";i:9;}',
            'a:11:{s:1:"a";i:0;i:1;i:0;i:2;i:0;i:3;i:0;i:4;i:0;i:5;i:0;i:6;i:0;i:7;i:0;i:8;i:0;i:9;i:0;s:1:"1";i:9;}',
            'R:1;', 'r:1;', 'R:0;', 'r:0;', 'R:-1;', 'R:;', 'R:1', 'a:1:{i:0;r:1;}', 'a:1:{i:0;r:2;}', 'a:1:{i:0;R:2;}', 'a:1:{i:0;R:0;}', 'a:2:{i:0;i:1;i:1;R:2;}', 'a:2:{i:0;i:1;i:1;r:2;}', 'a:2:{i:0;i:1;i:1;R:3;}',
            'a:2:{i:0;i:1;i:1;R:4;}', 'a:2:{i:0;i:1;i:1;R:99999999999999999999;}', 'a:2:{i:0;i:1;i:1;R:02;}', 'a:2:{i:0;i:1;i:1;R:+2;}', 'a:2:{i:0;' . $obj . '0:{}i:1;r:2;}', 'a:2:{i:0;' . $obj . '0:{}i:1;R:2;}',
            'a:2:{i:0;a:0:{}i:1;r:2;}', 'a:2:{i:0;R:3;i:1;i:5;}',
            $obj . '0:{}', 'O:08:"stdClass":0:{}', 'O:+8:"stdClass":0:{}', 'O:-8:"stdClass":0:{}', $obj . '+0:{}', $obj . '00:{}', $obj . '-1:{}', $obj . '-0:{}', $obj . ':{}', $obj . '+:{}', $obj . '-:{}', $obj . '+-0:{}', $obj . '00001:{s:1:"a";i:1;}', $obj, 'O:8:"stdClass"', 'O:8:"stdClass', 'O:9:"stdClass":0:{}',
            'O:7:"stdClass":0:{}', 'O:0:"":0:{}', 'O:3:"a b":0:{}', 'O:3:"a-b":0:{}', 'O:3:"a:b":0:{}', 'O:3:"a"b":0:{}', 'O:4:"\abc":0:{}', "O:4:\"\0abc\":0:{}", "O:4:\"ab\0c\":0:{}", 'O:99999999999999999999:"a":0:{}',
            $obj . '1:{s:1:"a";i:1;}', $obj . '1:{S:1:"a";i:1;}', $obj . '+1:{s:1:"a";i:1;}', $obj . '1:{s:1:"a";i:1;', $obj . '1:{s:1:"a";}', $obj . '2:{s:1:"a";i:1;}', $obj . '0:{s:1:"a";i:1;}', $obj . '20000000:{}',
            $obj . '1:{b:1;i:1;}', $obj . '1:{N;i:1;}', $obj . '2:{s:1:"a";i:1;s:1:"a";i:2;}', $obj . '1:{s:0:"";i:1;}', $obj . '1:{s:2:"' . "\0" . 'a";i:1;}', $obj . '1:{s:4:"' . "\0*\0" . 'a";i:1;}',
            'C:3:"Old":3:{abc', 'C:3:"Old":4:{abc}', 'C:3:"Old":2:{abc}', 'C:3:"Old":-1:{abc}', 'C:3:"Old":99999999999999999999:{abc}', 'C:3:"Old":3:abc', 'C:3:"Old":3:', 'C:0:"":0:{}', 'C:3:"Old"::{}', 'C:3:"Old":+3:{abc}', 'C:3:"Old":03:{abc}', 'C:3:"Old":-0:{}', 'C:3:"O d":0:{}',
            'E:15:"App\Enums\Suit:Hearts";', 'E:21:"App\Enums\Suit:Hearts";', 'E:21:"App\Enums\Suit:Hearts"', 'E:20:"App\Enums\SuitHearts";', 'E:0:"";', 'E:1:":";', 'E:2:"a:";', 'E:2:":a";', 'E:22:"App\Enums\Suit:Hearts:";', 'E:99999999999999999999:"a:b";',
            'o:1:{i:1;}', 'X:1;', 'b', 'b:1;', 'R', 'r', 'C', 'E', 'S',
        ];
    }

    /** Doubles, by their bits: corners, powers of ten and two with their neighbours, and random ones of all kinds. */
    function doubles(): array
    {
        $bits = fn (float $f): int => unpack('q', pack('d', $f))[1];
        $all = [0, PHP_INT_MIN, 1, 2, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x7ff0000000000000, PHP_INT_MIN | 0x7ff0000000000000, 0x7ff8000000000000];
        for ($e = -324; $e <= 308; $e++) {
            $b = $bits((float) "1e$e");
            array_push($all, $b - 1, $b, $b + 1);
        }
        for ($e = 0; $e < 2047; $e += 3) {
            $all[] = $e << 52;
        }
        for ($e = -6; $e <= 20; $e++) {
            for ($i = 0; $i < 12; $i++) {
                $all[] = $bits(mt_rand() / mt_getrandmax() * 10 ** $e);
                $all[] = $bits((float) (mt_rand(1, 9999) . "e$e"));
            }
        }
        for ($i = 0; $i < 700; $i++) {
            $all[] = (mt_rand() << 33) ^ (mt_rand() << 11) ^ mt_rand();
            $all[] = $bits((float) mt_rand() * mt_rand());
            $all[] = $bits(-mt_rand(0, 1000000) / 1000);
        }

        return array_values(array_unique(array_filter($all, fn ($b) => $b !== -1)));
    }

    function jsons(): array
    {
        $nest = fn (string $open, int $n, string $in, string $close) => str_repeat($open, $n) . $in . str_repeat($close, $n);

        return [
            'null', 'true', 'false', 'TRUE', 'Null', 'nan', 'NaN', 'Infinity', 'undefined', '', ' ', 'nul', 'nulll', 'truefalse',
            '0', '-0', '1', '-1', '7200', '01', '-01', '00', '+1', '-', '--1', '0x10', '1_0', '9223372036854775807', '9223372036854775808', '-9223372036854775808', '-9223372036854775809',
            '9999999999999999999', '99999999999999999999', '-99999999999999999999', '10000000000000000000000', '123456789012345678901234567890',
            '1.0', '-0.0', '0.0', '0.1', '1.', '.5', '1.5e', '1e', '1e+', '1e5', '1E5', '1e+5', '1e-5', '-0e1', '0e0', '1.5E3', '1e400', '-1e400', '1e-400', '5e-324', '1.7976931348623157e308', '0.1e1', '1e05', '9007199254740993.0',
            '""', '"a"', '"\u0000"', '"\u00e9"', '"\u00E9"', '"\ud83d\ude00"', '"\uD83D\uDE00x"', '"\ud800"', '"\ude00"', '"\ud83dx"', '"\ud83d\n"', '"\ud83d\ud83d"', '"\ud83d\u0041"', '"\u12"', '"\u00G0"', '"\u+123"', '"\U0041"', '"\x41"', '"\v"', '"\a"', '"\\\'"',
            '"\/\b\f\n\r\t\"\\\\"', '"/"', "\"\x01\"", "\"a\tb\"", "\"a\nb\"", "\"\0\"", "\"\x7f\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xe2\x80\xa8\"", '"é日😀"', '"abc', '"abc\\', '"abc\"', '"\ufffd"', "\"\xef\xbf\xbd\"", "'a'",
            '[]', '[ ]', '{}', '{ }', '[1]', '[1,2.5,"x",null,true]', '[1,]', '[,]', '[,1]', '[1 2]', '[1', '[', ']', '[1}', '[[]]', '[[],{},[{}]]', "[\n1\t,\r2 ]", "[\x0b1]", "[1]\0", "\0", '[1]]', '1 2', '1,2', "\xef\xbb\xbf1", ' 1 ', "\t\r\n1\n", "\xc2\xa01",
            '{"a":1}', '{"a":1,"b":2,"a":3}', '{"a":1,}', '{,}', '{"a"}', '{"a":}', '{"a" 1}', '{a:1}', "{'a':1}", '{1:2}', '{"a":1', '{"a":1]', '{"a"::1}', '{ "a" : 1 , "b" : [ ] }', '{"0":1,"1":2}', '{"1":1,"0":2}',
            '{"5":1,"05":2,"-3":4,"-0":5,"":6,"9223372036854775808":7}', '{"5":1,"\u0035":2}', '{"\u0000a":1}', '{"$ref":2}', '{"$bytes":"/wA="}', '{"a":{"b":{"c":[{"d":null}]}}}', '{"__proto__":1,"_empty_":2}',
            '{"errcode":0,"access_token":"96fc7a7axxx","errmsg":"ok","expires_in":7200}', '/* c */1', '// c', '1//', '[1,/**/2]',
            $nest('[', 511, '', ']'), $nest('[', 512, '', ']'), $nest('[', 511, '1', ']'), $nest('[', 512, '1', ']'), $nest('{"a":', 511, '1', '}'), $nest('{"a":', 512, '1', '}'), $nest('{"a":', 510, '{}', '}'), $nest('{"a":', 511, '[]', '}'),
        ];
    }

    /** json_encode, where it says all that the value is; null for everything else. */
    function plainJSON(mixed $value): ?string
    {
        $plain = function (mixed $v, int $depth = 0) use (&$plain): bool {
            if (is_array($v)) {
                foreach ($v as $key => $x) {
                    if ($depth > 600 || str_starts_with((string) $key, '$') || ! $plain($x, $depth + 1)) {
                        return false;
                    }
                }
            }

            return ! is_object($v);
        };
        if (str_contains(serialize($value), 'R:') || ! $plain($value)) {
            return null;
        }
        $json = json_encode($value, JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES);

        return $json === false ? null : $json;
    }

    function lines(string $file, iterable $rows): void
    {
        $text = '';
        foreach ($rows as $row) {
            $text .= (is_array($row) ? json_encode($row, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_THROW_ON_ERROR) : $row) . "\n";
        }
        file_put_contents($file, $text);
    }

    mt_srand(20240102);

    lines('values.jsonl', (function () {
        foreach (values() as $name => $value) {
            $row = ['name' => $name, 'data' => base64_encode(serialize($value))];
            if (($json = plainJSON($value)) !== null) {
                $row['json'] = base64_encode($json);
            }
            yield $row;
        }
    })());

    lines('lenient.jsonl', (function () {
        foreach (lenient() as $text) {
            $value = unserialize($text, ['allowed_classes' => true]);
            $ok = $value !== false || $text === 'b:0;';
            yield ['data' => base64_encode($text)] + ($ok ? ['value' => base64_encode(serialize($value))] : []);
        }
    })());

    lines('floats.txt', (function () {
        foreach (doubles() as $bits) {
            $text = serialize(unpack('d', pack('q', $bits))[1]);
            if (str_contains($text, 'NAN')) {
                continue;
            }
            yield sprintf('%016x %s', $bits, $text);
        }
    })());

    lines('fromjson.jsonl', (function () {
        foreach (jsons() as $json) {
            $value = json_decode($json, true);
            $ok = json_last_error() === JSON_ERROR_NONE;
            yield ['data' => base64_encode($json)] + ($ok ? ['value' => base64_encode(serialize($value))] : []);
        }
    })());
}
