// Does what each line names as often as it says, and answers how many nanoseconds that took.
$n = 0;
$text = function () use (&$n) { return sprintf('%08d', ++$n).str_repeat('v', 192); };
$cache->put('php', $text(), 3600);
$cache->put('php-counter', 0, 3600);
$operations = [
    'get' => function () use ($cache) { return $cache->get('php') !== null; },
    'put' => function () use ($cache, $text, &$n) { return $cache->put('php:'.($n % 1000), $text(), 3600); },
    'add' => function () use ($cache, $text, &$n) { return $cache->add('php-added:'.$n, $text(), 3600); },
    'increment' => function () use ($cache) { return $cache->increment('php-counter') > 0; },
    'lock' => function () use ($store, &$n) {
        $lock = $store->lock('php:'.(++$n % 100), 60);
        return $lock->get() && $lock->release();
    },
];
while (($line = fgets(STDIN)) !== false) {
    [$name, $times] = json_decode($line);
    $operation = $operations[$name];
    $start = hrtime(true);
    for ($i = 0; $i < $times; $i++) {
        if (! $operation()) {
            throw new RuntimeException("$name: the answer is no");
        }
    }
    answer(hrtime(true) - $start);
}
