import os

SECRET_KEY = "only for this fixture"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if "PGDATABASE" in os.environ:
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "HOST": os.environ["PGHOST"],
        "PORT": os.environ["PGPORT"], "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"]}}
elif "MYDATABASE" in os.environ:
    import pymysql

    # Django asks for the version of the driver that this one stands in for.
    pymysql.version_info = (2, 2, 1, "final", 0)
    pymysql.install_as_MySQLdb()
    DATABASES = {"default": {
        "ENGINE": "django.db.backends.mysql", "NAME": os.environ["MYDATABASE"], "HOST": os.environ["MYHOST"],
        "PORT": os.environ["MYPORT"], "USER": os.environ["MYUSER"], "PASSWORD": os.environ["MYPASSWORD"],
        "OPTIONS": {"charset": "utf8mb4"}}}
else:
    DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["FILE"]}}
