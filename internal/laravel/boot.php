<?php
// Gives a script Laravel's own database cache, from Debian's php-illuminate packages: $cache (Repository), $store (DatabaseStore),
// $conn (Connection), $schema (its schema builder) and $migration, what "artisan cache:table" makes of this version. The connection is
// described by LARAVEL_* variables.
error_reporting(E_ALL & ~E_DEPRECATED);
set_error_handler(function ($level, $message, $file, $line) {
    if (error_reporting() & $level) {
        throw new ErrorException($message, 0, $level, $file, $line); // as Laravel does
    }
    return true;
});

foreach (['Support', 'Conditionable', 'Reflection', 'Database', 'Events', 'Cache'] as $package) {
    if (stream_resolve_include_path("Illuminate/$package/autoload.php")) {
        require_once "Illuminate/$package/autoload.php";
    }
}
require_once 'Carbon/autoload.php';

// Cache::flexible defers its refresh (11.23 and later) by two helpers of an application's skeleton, which is in no package.
if (! function_exists('app')) {
    function app($abstract) { static $made = []; return $made[$abstract] ??= new $abstract; }
    function rescue(callable $callback) { return $callback(); }
}
function run_deferred(): void {
    $deferred = app(Illuminate\Support\Defer\DeferredCallbackCollection::class);
    try {
        $deferred->invoke();
    } finally {
        $deferred->invokeWhen(fn () => false); // drops the one that threw, or the next operation would run it again
    }
}

$capsule = new Illuminate\Database\Capsule\Manager;
if (getenv('LARAVEL_DRIVER') === 'sqlite') {
    $capsule->addConnection(['driver' => 'sqlite', 'database' => getenv('LARAVEL_DATABASE'), 'prefix' => '']);
} else {
    $capsule->addConnection([
        'driver' => 'mysql', 'host' => getenv('LARAVEL_HOST'), 'port' => getenv('LARAVEL_PORT'),
        'database' => getenv('LARAVEL_DATABASE'), 'username' => getenv('LARAVEL_USERNAME'), 'password' => getenv('LARAVEL_PASSWORD'),
        'charset' => 'utf8mb4', 'collation' => 'utf8mb4_unicode_ci', 'prefix' => '', 'strict' => true,
    ]);
}
$conn = $capsule->getConnection();
$schema = $conn->getSchemaBuilder();
Illuminate\Support\Facades\Facade::setFacadeApplication(['db' => $capsule->getDatabaseManager(), 'db.schema' => $schema]);
$migration = require stream_resolve_include_path('Illuminate/Cache/Console/stubs/cache.stub');
if (! is_object($migration)) {
    $migration = new CreateCacheTable; // it has a name until Laravel 8
}
$store = new Illuminate\Cache\DatabaseStore($conn, 'cache', getenv('LARAVEL_PREFIX'), 'cache_locks');
$cache = new Illuminate\Cache\Repository($store);

function answer($value): void { echo json_encode($value, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES), "\n"; }
